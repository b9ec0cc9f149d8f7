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
] as const;
export const TESTBED_NAMES = ["boot-to-init", "disk-throughput", "disk-latency-4k"] as const;
export type LocalName = (typeof LOCAL_NAMES)[number];
export type TestbedName = (typeof TESTBED_NAMES)[number];

export interface BenchOptions {
  readonly help: boolean;
  readonly json: boolean;
  readonly local: readonly LocalName[];
  /** Needs the testbed when there are any. */
  readonly testbed: readonly TestbedName[];
  readonly rounds: number;
  /** Rounds of what boots a Linux. */
  readonly testbedRounds: number;
}

export const USAGE = `usage: npm run bench -- [options]

Measures Xenolith against QEMU on this host, in interleaved rounds: medians, with the spread. Below 1, the ratio means that we are ahead.

  --json         one JSON object a line
  --only NAME    only this one; may be repeated: ${[...LOCAL_NAMES, ...TESTBED_NAMES].join(", ")}
  --testbed      those that boot a Linux, in the testbed, too: ${TESTBED_NAMES.join(", ")}
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
  for (const name of only ?? []) {
    if (![...LOCAL_NAMES, ...TESTBED_NAMES].some((known) => known === name)) {
      throw new BenchError(
        `--only: there is no benchmark ${name}; there are ${[...LOCAL_NAMES, ...TESTBED_NAMES].join(", ")}`,
      );
    }
  }
  const rounds = values.rounds === undefined ? undefined : roundsOf(values.rounds);
  const wanted = (name: string): boolean => only?.includes(name) ?? true;
  return {
    help: values.help === true,
    json: values.json === true,
    local: LOCAL_NAMES.filter(wanted),
    testbed: values.testbed === true || only !== undefined ? TESTBED_NAMES.filter(wanted) : [],
    rounds: rounds ?? ROUNDS,
    testbedRounds: rounds ?? TESTBED_ROUNDS,
  };
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
