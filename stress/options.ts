/** What a stress run is made of: workloads in the guest, actions of the host, and for how long. */
import { configError } from "../shared/config/config-error.js";

/** What the guest does, by name: see guests/stress, a file each. */
export const WORKLOADS = [
  "storm",
  "coalesce",
  "mask",
  "move",
  "bind",
  "timer",
  "poll",
  "xenstore",
  "disk",
  "ide",
  "grant",
  "sipi",
  "power",
  "closeall",
] as const;
export type WorkloadName = (typeof WORKLOADS)[number];

/** What the host does meanwhile: see stress/host-actions.ts. */
export const HOST_ACTIONS = ["pause", "inject", "xenstore", "sample", "reset"] as const;
export type HostActionName = (typeof HOST_ACTIONS)[number];

/** Faults that the guest makes once, on purpose, so that one can see that they are found. */
export const PLANTS = ["lost-event", "doubled-event", "wrong-byte"] as const;
export type Plant = (typeof PLANTS)[number];

export const CHANNELS = ["2-level", "fifo"] as const;
export type Channels = (typeof CHANNELS)[number];

/** Whatever is left out gets its default. */
export interface StressOptions {
  /** vCPUs, from 1 to as many as a machine can have; 2 by default. */
  readonly vcpus?: number;
  /** How hypercalls and events travel: by what KVM can do, unless it is said here. */
  readonly transport?: "auto" | "kernel" | "userspace";
  /** Event channels by bitmaps, which is the default, or by queues. */
  readonly channels?: Channels;
  /** The run ends after these seconds of the host's time; 10 by default, without end when `events` is given. */
  readonly seconds?: number;
  /** The run ends once so many events have come. */
  readonly events?: number;
  /** 0 to 2^32 - 1: what the guest and the host choose by; drawn at random by default. */
  readonly seed?: number;
  /** All by default. */
  readonly workloads?: readonly WorkloadName[];
  /** All by default; none when empty. */
  readonly hostActions?: readonly HostActionName[];
  /** Seconds after which an event, an answer or a CPU is taken for lost; 20 by default. */
  readonly patienceSeconds?: number;
  readonly plant?: Plant;
  /**
   * 0 to 2^32 - 1: the machine's threads are held up here and there by this seed, so that they meet where they seldom do. Of
   * one run at a time in a process.
   */
  readonly perturb?: number;
  /** Called about twice a second. */
  readonly onProgress?: (progress: StressProgress) => void;
  /** Ends the run early. */
  readonly signal?: AbortSignal;
}

export type StressPlan = Required<Omit<StressOptions, "events" | "plant" | "perturb" | "onProgress" | "signal">> &
  Pick<StressOptions, "events" | "plant" | "perturb">;

export interface StressProgress {
  /** Since the machine's start, by the host's clock. */
  readonly seconds: number;
  readonly workloads: readonly WorkloadCount[];
  readonly hostActions: readonly HostActionCount[];
}

export interface WorkloadCount {
  readonly name: string;
  /** Events that came, once each and where they should. */
  readonly events: number;
  /** Whatever else was done and found right. */
  readonly operations: number;
  /** Longest time from an event's cause (its sending, its deadline) to its being taken, in microseconds of the guest's time. */
  readonly longestUs: number;
}

export interface HostActionCount {
  readonly name: HostActionName;
  readonly count: number;
}

const DEFAULT_SECONDS = 10;
const DEFAULT_PATIENCE_SECONDS = 20;
const DEFAULT_VCPUS = 2;
const SEEDS = 2 ** 32;

/**
 * Fills in the defaults.
 *
 * @throws VmmError CONFIG when a number is out of its range
 */
export function planStress(options: StressOptions): StressPlan {
  const seconds = options.seconds ?? (options.events === undefined ? DEFAULT_SECONDS : Infinity);
  const patienceSeconds = options.patienceSeconds ?? DEFAULT_PATIENCE_SECONDS;
  const seed = options.seed ?? Math.floor(Math.random() * SEEDS);
  if (!(seconds > 0)) throw configError("seconds", `must be more than 0, not ${seconds}`);
  if (options.events !== undefined && !(options.events > 0)) {
    throw configError("events", `must be more than 0, not ${options.events}`);
  }
  if (!(patienceSeconds > 0 && Number.isFinite(patienceSeconds))) {
    throw configError("patienceSeconds", `must be more than 0, not ${patienceSeconds}`);
  }
  checkSeed("seed", seed);
  if (options.perturb !== undefined) checkSeed("perturb", options.perturb);
  if (options.workloads?.length === 0) throw configError("workloads", "must name one at least");
  return {
    vcpus: options.vcpus ?? DEFAULT_VCPUS,
    transport: options.transport ?? "auto",
    channels: options.channels ?? "2-level",
    seconds,
    seed,
    workloads: options.workloads ?? WORKLOADS,
    hostActions: options.hostActions ?? HOST_ACTIONS,
    patienceSeconds,
    ...(options.events === undefined ? {} : { events: options.events }),
    ...(options.plant === undefined ? {} : { plant: options.plant }),
    ...(options.perturb === undefined ? {} : { perturb: options.perturb }),
  };
}

function checkSeed(option: string, seed: number): void {
  if (Number.isInteger(seed) && seed >= 0 && seed < SEEDS) return;
  throw configError(option, `must be a whole number from 0 to ${SEEDS - 1}, not ${seed}`);
}
