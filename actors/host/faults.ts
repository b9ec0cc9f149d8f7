/**
 * Makes the host fail on purpose, for specs: the n-th call of a kind that a thread makes gives an error, moves less than it
 * was asked to, or is late.
 *
 * A plan is put into the environment data of Node's workers under {@link FAULTS} before a machine is made; libc.ts looks for
 * it once for each thread. Where there is none, nothing stands between a caller and libc.
 */
import { getEnvironmentData } from "node:worker_threads";
import { KVM } from "./kvm-abi.js";
import { SYS } from "./syscalls.js";
import type { Syscall } from "./syscalls.js";

/** Key of the plan among the workers' environment data. */
export const FAULTS = "xenolith-faults";

/** What a call does instead of what it should. */
export type Fault =
  /** Fails with this errno, and does nothing. */
  | { readonly kind: "errno"; readonly errno: number }
  /** Transfers of data move only the first half of their buffers, or of their one buffer. */
  | { readonly kind: "short" }
  /** Comes `ms` milliseconds late. */
  | { readonly kind: "slow"; readonly ms: number };

export interface FaultPlan {
  /** Actors that are watched: "machine", "vcpu0", "devices", "disk0". */
  readonly threads: readonly string[];
  /** By thread and call ({@link callIndex}): how often it was made. */
  readonly counts: Int32Array<SharedArrayBuffer>;
  /** Which calls go wrong; none when the plan only counts. */
  readonly fault: PlannedFault | undefined;
}

export interface PlannedFault {
  readonly thread: string;
  /** One of {@link CALLS}. */
  readonly call: string;
  /** The first call that goes wrong, from 1. */
  readonly nth: number;
  /** How many do from there on. */
  readonly times: number;
  readonly fault: Fault;
}

const IOCTLS = new Map<number, string>(Object.entries(KVM).map(([name, request]) => [request, `KVM_${name}`]));
const SYSCALLS = new Map<number, string>(Object.entries(SYS).map(([name, nr]) => [nr, name]));

/** Every call that can go wrong by name: system calls, and KVM's ioctls each for itself. */
export const CALLS: readonly string[] = [...new Set([...SYSCALLS.values(), ...IOCTLS.values()])];
const INDEX = new Map(CALLS.map((name, index) => [name, index]));

/** Calls whose first buffer is the second argument, with its length, or its number of buffers, in the third. */
const TRANSFERS = new Set<number>([SYS.read, SYS.write, SYS.writev, SYS.preadv, SYS.preadv2, SYS.pwritev]);

/** Place of a call's count in {@link FaultPlan.counts}. */
export function callIndex(plan: Pick<FaultPlan, "threads">, thread: string, call: string): number {
  return plan.threads.indexOf(thread) * CALLS.length + (INDEX.get(call) ?? 0);
}

/** The plan in force, if there is one. */
export function faultPlan(): FaultPlan | undefined {
  // Typed as anything that can be cloned, null where nothing was set.
  return (getEnvironmentData(FAULTS) as unknown as FaultPlan | null | undefined) ?? undefined;
}

/** `libc` with `plan`'s faults in it, as `thread` sees it. */
export function faultyLibc<Calls extends { readonly fast: Syscall; readonly syscall: Syscall }>(
  libc: Calls,
  thread: string,
  plan: FaultPlan,
): Calls {
  if (!plan.threads.includes(thread)) return libc;
  return { ...libc, fast: faultySyscall(libc.fast, thread, plan), syscall: faultySyscall(libc.syscall, thread, plan) };
}

function faultySyscall(syscall: Syscall, thread: string, plan: FaultPlan): Syscall {
  const planned = plan.fault?.thread === thread ? plan.fault : undefined;
  // eslint-disable-next-line @typescript-eslint/max-params -- as Syscall
  return (nr, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0) => {
    const call = (nr === SYS.ioctl ? IOCTLS.get(b) : undefined) ?? SYSCALLS.get(nr) ?? "";
    const made = Atomics.add(plan.counts, callIndex(plan, thread, call), 1) + 1;
    if (planned?.call !== call || made < planned.nth || made >= planned.nth + planned.times) {
      return syscall(nr, a, b, c, d, e, f);
    }
    const { fault } = planned;
    if (fault.kind === "errno") return -fault.errno;
    if (fault.kind === "slow") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, fault.ms);
    const length = fault.kind === "short" && TRANSFERS.has(nr) ? Math.ceil(c / 2) : c;
    return syscall(nr, a, b, length, d, e, f);
  };
}
