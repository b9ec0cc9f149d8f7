/** A small machine's whole life, with at most one fault of the host's in it, and what became of it. */
import { readFileSync } from "node:fs";
import { setEnvironmentData } from "node:worker_threads";
import { CALLS, callIndex, FAULTS } from "../../actors/host/faults.js";
import type { FaultPlan, PlannedFault } from "../../actors/host/faults.js";
import { Machine } from "../../actors/machine.js";
import type { MachineEnd } from "../../actors/machine-end.js";
import type { MachineConfig } from "../../shared/config.js";
import { openDescriptors, settle, spareThreadsEnded, threadCount } from "./leftovers.js";
import { smallGuest } from "./machines.js";
import { PATIENCE } from "./patience.js";

/** Longer than a life takes on the slowest host, and than the time that a guest of ours waits for an answer. */
const PATIENCE_MS = 60_000 * PATIENCE;
const DISK_BYTES = 64 * 1024;

export interface Life {
  /** "hung" when it had not ended after {@link PATIENCE_MS}. */
  readonly end: MachineEnd | { readonly kind: "refused"; readonly error: unknown } | { readonly kind: "hung" };
  /** What the guest wrote on its PV console. */
  readonly text: string;
  /** How disposing of the machine failed, if it did. */
  readonly disposal: unknown;
  /** Threads and descriptors that are there afterwards and were not before. */
  readonly left: readonly string[];
  /** How often a thread made a call. */
  readonly count: (thread: string, call: string) => number;
}

export const THREADS = ["machine", "vcpu0", "devices", "disk0"] as const;

/** The guest that writes its disk, resets, and reads it back, on a disk of this path. */
export function lifeConfig(path: string, cmdline = "up"): MachineConfig {
  const config = smallGuest("life.elf", { disks: [{ path, attach: { kind: "xen", vdev: "xvda" } }] });
  return { ...config, boot: { ...config.boot, cmdline } };
}

/** An empty disk for it. */
export function lifeDisk(): Uint8Array {
  return new Uint8Array(DISK_BYTES);
}

export async function wholeLife(config: MachineConfig, fault?: PlannedFault): Promise<Life> {
  const plan: FaultPlan = {
    threads: THREADS,
    counts: new Int32Array(new SharedArrayBuffer(THREADS.length * CALLS.length * 4)),
    fault,
  };
  await spareThreadsEnded();
  const before = held();
  setEnvironmentData(FAULTS, plan);
  try {
    const { end, text, disposal } = await live(config);
    await settle(() => left(before).length === 0, 5000);
    const count = (thread: string, call: string): number => plan.counts[callIndex(plan, thread, call)] ?? 0;
    return { end, text, disposal, left: left(before), count };
  } finally {
    setEnvironmentData(FAULTS, null as never);
  }
}

async function live(config: MachineConfig): Promise<Pick<Life, "end" | "text" | "disposal">> {
  let text = "";
  let machine: Machine | undefined;
  let end: Life["end"];
  try {
    machine = await Machine.create(config, { log: () => undefined });
    machine.onStream("xen-console", (bytes) => {
      text += Buffer.from(bytes).toString("latin1");
    });
    await machine.start();
    end = await patiently(machine.ended);
  } catch (error) {
    end = { kind: "refused", error };
  }
  try {
    await machine?.[Symbol.asyncDispose]();
    return { end, text, disposal: undefined };
  } catch (disposal) {
    return { end, text, disposal };
  }
}

async function patiently(ended: Promise<MachineEnd>): Promise<Life["end"]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<{ readonly kind: "hung" }>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, { kind: "hung" });
  });
  try {
    return await Promise.race([ended, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Descriptors by kind, mappings of files and of KVM, and one entry for each thread. */
function held(): readonly string[] {
  const mappings = readFileSync("/proc/self/maps", "utf8").match(/(anon_inode:kvm\S*|\/memfd:\S*)/g) ?? [];
  const threads = Array.from({ length: threadCount() }, () => "thread");
  return [...openDescriptors().map((target) => target.replace(/\d+/g, "n")), ...mappings, ...threads];
}

function left(before: readonly string[]): readonly string[] {
  const rest = [...before];
  return held().filter((one) => {
    const at = rest.indexOf(one);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}
