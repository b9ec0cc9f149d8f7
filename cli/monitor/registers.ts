/** The monitor's look at the guest's processors. */
import type { MonitorHost } from "./command.js";

/** Registers and last exits of each vCPU. A guest that runs is held for the look. */
export async function registers(machine: MonitorHost["machine"]): Promise<string> {
  const runs = machine.status() === "running";
  if (runs) await machine.pause();
  try {
    return await machine.describeVcpus();
  } finally {
    if (runs) await machine.resume();
  }
}
