/** The machine that the stress guest runs on. */
import { join } from "node:path";
import type { MachineConfig } from "../shared/config.js";
import type { StressPlan } from "./options.js";

const MEMORY_BYTES = 64 * 1024 * 1024;
/** Xen 4.17, major << 16 | minor. */
const XEN_VERSION = 0x4_0011;
const MS_PER_SECOND = 1000;

/** A disk of the guest's: its image's file name, the number that the stamps on it have, and who puts them there. */
export const STRESS_DISKS = [
  { file: "xvda.img", stamp: 0, workload: "disk", attach: { kind: "xen", vdev: "xvda" } },
  { file: "xvdb.img", stamp: 1, workload: "disk", attach: { kind: "xen", vdev: "xvdb" } },
  { file: "xvdc.img", stamp: 2, workload: "disk", attach: { kind: "xen", vdev: "xvdc" } },
  { file: "hdc.img", stamp: 8, workload: "ide", attach: { kind: "ide", channel: 1, unit: 0 } },
] as const;

/** `folder` holds the disks' images. */
export function stressMachine(plan: StressPlan, kernel: string, folder: string): MachineConfig {
  return {
    name: "stress",
    memoryBytes: MEMORY_BYTES,
    vcpus: { count: plan.vcpus },
    accel: { xenVersion: XEN_VERSION, transport: plan.transport, fifo: "on" },
    boot: { kernel, cmdline: guestCommandLine(plan) },
    disks: STRESS_DISKS.map(({ file, attach }) => ({ path: join(folder, file), discard: "unmap", attach })),
    xenConsole: { kind: "stream" },
    log: { level: "warn" },
  };
}

/** [guests/stress/main.c] */
export function guestCommandLine(plan: StressPlan): string {
  const words = [
    `seed=${plan.seed}`,
    `patience=${Math.ceil(plan.patienceSeconds * MS_PER_SECOND)}`,
    `only=${plan.workloads.join(",")}`,
  ];
  if (plan.channels === "fifo") words.push("fifo");
  if (plan.plant !== undefined) words.push(`plant=${plan.plant}`);
  return words.join(" ");
}
