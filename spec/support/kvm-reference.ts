/** The numbers of <linux/kvm.h>, as spec/abi/kvm-generate.mjs got them from a C compiler. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./project.js";

export interface Layout {
  readonly size: number;
  readonly offsets: Readonly<Record<string, number>>;
}

export interface KvmReference {
  readonly structs: Readonly<Record<string, Layout>>;
  readonly requests: Readonly<Record<string, number>>;
  readonly capabilities: Readonly<Record<string, number>>;
  readonly exits: Readonly<Record<string, number>>;
  readonly constants: Readonly<Record<string, number>>;
}

export const kvmReference = JSON.parse(
  readFileSync(join(PROJECT, "spec", "abi", "kvm-offsets.json"), "utf8"),
) as KvmReference;

/** Where a field of struct kvm_run is. */
export function runOffset(field: string): number {
  const offset = kvmReference.structs["kvmRun"]?.offsets[field];
  if (offset === undefined) throw new Error(`kvm-offsets.json has no kvmRun.${field}`);
  return offset;
}
