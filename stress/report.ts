/** How a stress run went. */
import type { Channels, HostActionCount, Plant, StressPlan, WorkloadCount } from "./options.js";

export interface StressReport {
  readonly outcome: StressOutcome;
  readonly vcpus: number;
  /** How hypercalls and events travelled. */
  readonly transport: "none" | "kernel" | "userspace";
  readonly channels: Channels;
  readonly seed: number;
  /** From the machine's start to its end, by the host's clock. */
  readonly seconds: number;
  /** Resets that the guest came back from. */
  readonly resets: number;
  /** Sum over the workloads. */
  readonly events: number;
  readonly workloads: readonly WorkloadCount[];
  readonly hostActions: readonly HostActionCount[];
  readonly failures: readonly StressFailure[];
  readonly plant?: Plant;
  /** The seed by which the machine's threads were held up. */
  readonly perturb?: number;
  /** Command line that does the same again. */
  readonly command: string;
}

export type StressOutcome =
  | "passed"
  | "failed"
  /** The guest crashed; a failure has the report. */
  | "crashed"
  /** By `signal`; nothing had failed until then. */
  | "interrupted";

export interface StressFailure {
  /** A workload, a host action, or "guest" or "machine". */
  readonly from: string;
  readonly text: string;
}

/** The options that make the same choices again. */
export function repeatingCommand(plan: StressPlan, transport: string): string {
  const words = [
    "npx xenolith stress",
    `--smp ${plan.vcpus}`,
    `--transport ${transport}`,
    `--channels ${plan.channels}`,
  ];
  if (Number.isFinite(plan.seconds)) words.push(`--seconds ${plan.seconds}`);
  if (plan.events !== undefined) words.push(`--events ${plan.events}`);
  words.push(`--seed ${plan.seed}`, `--only ${plan.workloads.join(",")}`);
  words.push(`--host ${plan.hostActions.length === 0 ? "none" : plan.hostActions.join(",")}`);
  words.push(`--patience ${plan.patienceSeconds}`);
  if (plan.plant !== undefined) words.push(`--plant ${plan.plant}`);
  if (plan.perturb !== undefined) words.push(`--perturb ${plan.perturb}`);
  return words.join(" ");
}
