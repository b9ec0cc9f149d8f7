/** vCPUs and their topology. */
import * as v from "valibot";
import { configError } from "./config-error.js";
import { integer } from "./fields.js";
import type { DeepReadonly } from "./fields.js";

/**
 * Whatever the topology, their APIC ids stay below 255 (each of its levels takes whole bits), so that no guest needs x2APIC.
 * Xen keeps room in shared_info for 32; the others have a vcpu_info once they register one.
 */
export const MAX_VCPUS = 64;

const vcpuCount = integer(1, MAX_VCPUS);
export const vcpusSchema = v.strictObject({
  /** How many run at power-on. */
  count: v.optional(vcpuCount),
  /** Topology, as the guest reads it in CPUID. */
  sockets: v.optional(vcpuCount),
  cores: v.optional(vcpuCount),
  threads: v.optional(vcpuCount),
  /** How many the topology has room for. */
  maxCpus: v.optional(vcpuCount),
});

type Given = DeepReadonly<v.InferOutput<typeof vcpusSchema>>;

/** `sockets * cores * threads` is `maxCpus`, which is at least `count`. */
export interface VcpuTopology {
  readonly count: number;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
  readonly maxCpus: number;
}

/** Fills the topology as QEMU does for a PC: what is not given becomes 1, except cores, which take up what is left. */
export function resolveVcpus(given: Given): VcpuTopology {
  const { sockets, cores, threads } = given;
  const maxCpus = given.maxCpus ?? given.count ?? (sockets ?? 1) * (cores ?? 1) * (threads ?? 1);
  const count = given.count ?? maxCpus;
  if (maxCpus > MAX_VCPUS)
    throw configError("vcpus", `the topology has room for ${maxCpus} vCPUs: at most ${MAX_VCPUS} can be`);
  if (maxCpus < count) throw configError("vcpus.maxCpus", `is ${maxCpus}, less than the ${count} vCPUs that start`);
  const filled = fillTopology(given, maxCpus);
  const total = filled.sockets * filled.cores * filled.threads;
  if (total !== maxCpus) {
    const shape = `${filled.sockets} sockets * ${filled.cores} cores * ${filled.threads} threads`;
    throw configError("vcpus", `the topology does not fit: ${shape} is ${total}, not ${maxCpus} vCPUs`);
  }
  return { count, ...filled, maxCpus };
}

function fillTopology(given: Given, maxCpus: number): { sockets: number; cores: number; threads: number } {
  const threads = given.threads ?? (given.cores === undefined || given.sockets === undefined ? 1 : undefined);
  if (threads === undefined) {
    const sockets = given.sockets ?? 1;
    const cores = given.cores ?? 1;
    return { sockets, cores, threads: Math.max(1, Math.floor(maxCpus / (sockets * cores))) };
  }
  if (given.cores === undefined) {
    const sockets = given.sockets ?? 1;
    return { sockets, cores: Math.max(1, Math.floor(maxCpus / (sockets * threads))), threads };
  }
  const sockets = given.sockets ?? Math.max(1, Math.floor(maxCpus / (given.cores * threads)));
  return { sockets, cores: given.cores, threads };
}
