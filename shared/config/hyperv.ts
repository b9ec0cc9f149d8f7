/** Hyper-V's interface beside Xen's: enlightenments by the names that QEMU has for them, without `hv-`. */
import * as v from "valibot";
import { configError } from "./config-error.js";
import { oneOf } from "./fields.js";

/** Each with those that it stands on. */
const ENLIGHTENMENTS = {
  relaxed: [],
  vapic: [],
  time: [],
  vpindex: [],
  runtime: [],
  crash: [],
  reset: [],
  frequencies: [],
  reenlightenment: [],
  "xmm-input": [],
  synic: ["vpindex"],
  stimer: ["synic", "time"],
  "stimer-direct": ["stimer"],
  tlbflush: ["vpindex"],
  ipi: ["vpindex"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Enlightenment = keyof typeof ENLIGHTENMENTS;

const NAMES = Object.keys(ENLIGHTENMENTS) as Enlightenment[];

export const enlightenmentsSchema = v.array(oneOf(NAMES), "must be a list of names");

/** @throws VmmError CONFIG when one lacks what it stands on */
export function checkEnlightenments(enlightenments: readonly Enlightenment[]): void {
  for (const [index, name] of enlightenments.entries()) {
    const missing = ENLIGHTENMENTS[name].find((needed) => !enlightenments.includes(needed));
    if (missing !== undefined) throw configError(`cpu.hyperv.${index}`, `${name} needs ${missing}`);
  }
}
