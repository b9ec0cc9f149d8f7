/** The command line of `xenolith stress`. */
import type { Channels, HostActionName, Plant, StressOptions, WorkloadName } from "../../index.js";
import { parseGuestCommand, transportName, wholeNumber } from "../options/guest-command.js";
import { didYouMean, usageError } from "../usage.js";

/** What can be named, as the library has it. */
export interface StressNames {
  readonly workloads: readonly WorkloadName[];
  readonly hostActions: readonly HostActionName[];
  readonly plants: readonly Plant[];
  readonly channels: readonly Channels[];
  readonly maxVcpus: number;
}

export interface StressCommandOptions {
  readonly stress: StressOptions;
  readonly json: boolean;
  readonly help: boolean;
}

const OPTIONS = {
  smp: { type: "string" },
  seconds: { type: "string" },
  events: { type: "string" },
  seed: { type: "string" },
  only: { type: "string", multiple: true },
  without: { type: "string", multiple: true },
  host: { type: "string", multiple: true },
  transport: { type: "string" },
  channels: { type: "string" },
  patience: { type: "string" },
  plant: { type: "string" },
  perturb: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const MAX_SECONDS = 30 * 24 * 3600;
const MAX_EVENTS = 2 ** 53 - 1;
const MAX_PATIENCE_SECONDS = 3600;
const MAX_SEED = 2 ** 32 - 1;

export function stressUsage(names: StressNames): string {
  return `usage: xenolith stress [options]

Has a guest send events between all its vCPUs and do whatever else it can do with Xen at the same time, while the host
pauses it, resets it and talks to it; proves by sequence numbers that nothing was lost, doubled or misdirected.

  --smp N                 virtual CPUs, 1 to ${names.maxVcpus} (default 2)
  --seconds N             how long (default 10, without end with --events)
  --events N              until so many events have come
  --seed N                what the guest and the host choose by (default: drawn at random, and printed)
  --only NAME,NAME        only these workloads of the guest:
                          ${names.workloads.join(", ")}
  --without NAME,NAME     not these workloads
  --host NAME,NAME        only these actions of the host, or none:
                          ${names.hostActions.join(", ")}
  --transport NAME        kernel or userspace (default: kernel where KVM has Xen support)
  --channels KIND         event channels: ${names.channels.join(" or ")} (default 2-level)
  --patience SECONDS      after which something is taken for lost (default 20)
  --plant FAULT           have the guest make a fault, once, to see that it is found:
                          ${names.plants.join(", ")}
  --perturb SEED          hold the threads of the machine up here and there, by this seed, so that they meet where
                          they seldom do
  --json                  the report as one JSON object
  --help                  print this

Exit codes: 0 nothing was lost, 1 something was or the host failed, 2 the command line is wrong, 4 the guest crashed.
`;
}

/** @throws UsageError */
export function parseStressOptions(argv: readonly string[], names: StressNames): StressCommandOptions {
  const values = parseGuestCommand("stress", argv, OPTIONS);
  const number = (option: keyof typeof values, max: number, min = 1) => {
    const text = values[option];
    return typeof text === "string" ? wholeNumber(`--${option}`, text, { fallback: 0, min, max }) : undefined;
  };
  const one = <T extends string>(option: keyof typeof values, known: readonly T[]) => {
    const text = values[option];
    return typeof text === "string" ? nameOf(`--${option}`, text, known) : undefined;
  };
  const stress = {
    vcpus: number("smp", names.maxVcpus),
    seconds: number("seconds", MAX_SECONDS),
    events: number("events", MAX_EVENTS),
    seed: number("seed", MAX_SEED, 0),
    patienceSeconds: number("patience", MAX_PATIENCE_SECONDS),
    transport: transportName(values.transport),
    channels: one("channels", names.channels),
    plant: one("plant", names.plants),
    perturb: number("perturb", MAX_SEED, 0),
    workloads: workloads(values, names.workloads),
    hostActions: hostActions(values.host, names.hostActions),
  };
  // An option that was not given is absent, not undefined.
  const given = Object.fromEntries(Object.entries(stress).filter(([, value]) => value !== undefined)) as StressOptions;
  return { stress: given, json: values.json ?? false, help: values.help ?? false };
}

function workloads(
  { only, without }: { readonly only?: readonly string[]; readonly without?: readonly string[] },
  known: readonly WorkloadName[],
): readonly WorkloadName[] | undefined {
  const chosen = only === undefined ? undefined : namesOf("--only", only, known);
  if (without === undefined) return chosen;
  const leftOut = namesOf("--without", without, known);
  const left = (chosen ?? known).filter((name) => !leftOut.includes(name));
  if (left.length === 0) throw usageError("--without", "leaves no workload");
  return left;
}

function hostActions(
  texts: readonly string[] | undefined,
  known: readonly HostActionName[],
): readonly HostActionName[] | undefined {
  if (texts === undefined) return undefined;
  return texts.join(",") === "none" ? [] : namesOf("--host", texts, known);
}

/** Each once, in the order of `known`. */
function namesOf<T extends string>(option: string, texts: readonly string[], known: readonly T[]): readonly T[] {
  const names = texts.flatMap((text) => text.split(",")).map((text) => nameOf(option, text, known));
  return known.filter((name) => names.includes(name));
}

function nameOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const name = known.find((candidate) => candidate === text);
  if (name !== undefined) return name;
  throw usageError(option, `'${text}' is none of ${known.join(", ")}${didYouMean(text, known)}`);
}
