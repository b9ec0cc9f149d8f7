/**
 * Machines that are still there when the process ends, by `process.exit`, an uncaught error or the end of its work. Node then
 * ends their threads, and waits for it: a thread that sleeps in a call of the host's would never hear of it.
 */
import { VcpuRequest } from "../xen/host.js";
import type { MachineControl } from "./machine-control.js";

type Control = Pick<MachineControl, "lifecycle" | "kicks" | "doorbells">;

const machines = new Set<Control>();

/** Until {@link dismiss}, the end of the process gets the machine's threads out of where they sleep. */
export function attend(machine: Control): void {
  if (machines.size === 0) process.on("exit", abandonAll);
  machines.add(machine);
}

/** The machine's threads have ended. */
export function dismiss(machine: Control): void {
  if (machines.delete(machine) && machines.size === 0) process.off("exit", abandonAll);
}

function abandonAll(): void {
  for (const { lifecycle, kicks, doorbells } of machines) {
    lifecycle.abandon();
    kicks.requestAll(VcpuRequest.control);
    for (const bell of doorbells) bell.ring();
  }
}
