/** The command line of `npm run bench -- [options]`. */
import { parseArgs } from "node:util";
import { BenchError } from "./errors.js";

export const LOCAL_NAMES = [
  "pio-out",
  "pio-in-unassigned",
  "hypercall",
  "evtchn-ipi",
  "first-instruction",
  "memory-overhead",
  "exit-scaling",
] as const;
/** Of one Xen guest; in the testbed, where KVM supports Xen, beside QEMU. */
export const XEN_NAMES = [
  "hypercall-version",
  "hypercall-extraversion",
  "hypercall-multicall-16",
  "hypercall-memory-query",
  "hypercall-grant-query",
  "hypercall-vcpu-is-up",
  "hypercall-evtchn-status",
  "hypercall-evtchn-unmask",
  "hypercall-get-param",
  "hypercall-get-time",
  "hypercall-stop-timer",
  "hypercall-yield",
  "evtchn-send-self",
  "evtchn-send-other",
  "timer-latency",
  "poll-wake",
  "ipi-storm-1",
  "ipi-storm-2",
  "ipi-storm-4",
] as const;
export const TESTBED_NAMES = ["boot-to-init", "disk-throughput", "disk-latency-4k", "ide-throughput"] as const;
export type LocalName = (typeof LOCAL_NAMES)[number];
export type XenName = (typeof XEN_NAMES)[number];
export type TestbedName = (typeof TESTBED_NAMES)[number];

const ALL_NAMES: readonly string[] = [...LOCAL_NAMES, ...XEN_NAMES, ...TESTBED_NAMES];

export interface BenchOptions {
  readonly help: boolean;
  readonly json: boolean;
  readonly local: readonly LocalName[];
  readonly xen: readonly XenName[];
  /** Those run in the testbed, beside QEMU. */
  readonly xenInTestbed: boolean;
  /** Needs the testbed when there are any. */
  readonly testbed: readonly TestbedName[];
  readonly rounds: number;
  /** Rounds of what boots a Linux. */
  readonly testbedRounds: number;
}

export const USAGE = `usage: npm run bench -- [options]

Measures Xenolith against QEMU on this host, in interleaved rounds: medians, with the spread. Below 1, the ratio means that we are ahead.

  --json         one JSON object a line
  --only NAME    only this one, or all that begin so (hypercall-*, ipi-storm); may be repeated:
                 ${ALL_NAMES.join(", ")}
  --testbed      in the testbed, which has a KVM that supports Xen, beside QEMU: what runs a Xen guest
                 (${XEN_NAMES.join(", ")});
                 and those that boot a Linux: ${TESTBED_NAMES.join(", ")}
  --rounds N     rounds of each (default 7; 3 of those in the testbed)
  --help         this text
`;

const ROUNDS = 7;
const TESTBED_ROUNDS = 3;
const MAX_ROUNDS = 1000;

const OPTIONS = {
  json: { type: "boolean" },
  only: { type: "string", multiple: true },
  testbed: { type: "boolean" },
  rounds: { type: "string" },
  help: { type: "boolean" },
} as const;

/** @throws BenchError on an option that does not exist or has no sensible value */
export function parseBenchOptions(argv: readonly string[]): BenchOptions {
  const values = parse(argv);
  const only = values.only;
  for (const pattern of only ?? []) {
    if (!ALL_NAMES.some((name) => isNamed(name, pattern))) {
      throw new BenchError(`--only: there is no benchmark ${pattern}; there are ${ALL_NAMES.join(", ")}`);
    }
  }
  const rounds = values.rounds === undefined ? undefined : roundsOf(values.rounds);
  const wanted = (name: string): boolean => only?.some((pattern) => isNamed(name, pattern)) ?? true;
  return {
    help: values.help === true,
    json: values.json === true,
    local: LOCAL_NAMES.filter(wanted),
    xen: XEN_NAMES.filter(wanted),
    xenInTestbed: values.testbed === true,
    testbed: values.testbed === true || only !== undefined ? TESTBED_NAMES.filter(wanted) : [],
    rounds: rounds ?? ROUNDS,
    testbedRounds: rounds ?? TESTBED_ROUNDS,
  };
}

/** `pattern` is a name, the beginning of several up to a hyphen, or one that ends in an asterisk. */
function isNamed(name: string, pattern: string): boolean {
  if (pattern.endsWith("*")) return name.startsWith(pattern.slice(0, -1));
  return name === pattern || (!ALL_NAMES.includes(pattern) && name.startsWith(`${pattern}-`));
}

function parse(argv: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"] {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
  } catch (cause) {
    throw new BenchError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function roundsOf(text: string): number {
  const rounds = Number(text);
  if (!/^\d+$/.test(text) || rounds < 1 || rounds > MAX_ROUNDS) {
    throw new BenchError(`--rounds: must be 1 to ${MAX_ROUNDS}, not ${text}`);
  }
  return rounds;
}
