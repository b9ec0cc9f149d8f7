/** `--trace NAME,…` and QEMU's `-trace enable=NAME`: which trace points go to the log. */
import type { TraceName } from "../../index.js";
import { didYouMean, usageError } from "../usage.js";
import { splitItems } from "./settings.js";

/** Checked against the library's names by type, so that a bad name is refused before the library is loaded. */
const POINTS = {
  port: "accesses to I/O ports",
  mmio: "accesses to memory-mapped registers",
  msr: "MSR accesses that KVM leaves to us",
  hypercall: "hypercalls, with arguments and results",
  evtchn: "events between the guest and our back ends",
  xenstore: "requests to xenstore",
  interrupt: "interrupts on their way to vCPUs",
  disk: "requests to disk images",
  ide: "commands to IDE drives",
} as const satisfies Readonly<Record<TraceName, string>>;

const NAMES = Object.keys(POINTS);

/** Names and patterns, in order. Where the lines go is for `--log file` to say. */
export function traces(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => splitItems(text, "enable").map(({ key, value }) => pattern(key, value)));
}

/** An item is a name alone, or `enable=NAME`. */
function pattern(key: string, value: string | undefined): string {
  if (key === "file") throw usageError("--trace file", "trace lines go where the log goes: use --log file=PATH");
  const name = key === "enable" ? (value ?? "") : key;
  if (value !== undefined && key !== "enable") throw usageError("--trace", `unknown setting '${key}'`);
  if (!name.includes("*") && !NAMES.includes(name)) {
    throw usageError(
      "--trace",
      `there is no trace point '${name}'${didYouMean(name, NAMES) || `: use ${NAMES.join(", ")}`}`,
    );
  }
  return name;
}

export function traceHelp(): string {
  return Object.entries(POINTS)
    .map(([name, about]) => `${name.padEnd(12)}${about}\n`)
    .join("");
}
