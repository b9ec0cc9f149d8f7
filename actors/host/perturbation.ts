/**
 * Makes threads meet where they seldom do: before what a thread does to shared memory, and around its system calls, it gives
 * its processor away, dawdles or sleeps, by a seed. One word of memory in eight, and one system call, is a slow one: there it
 * does so most often. Which those are is up to the seed, so that a run has its own sore places, and another has others.
 *
 * All that threads share goes by `Atomics`: locks, rings, mailboxes, kicks, event bitmaps. So each may be held up with a lock
 * taken, with an index stored and the bell not yet rung, or with a request posted and the vCPU on its way into the guest.
 *
 * The seed is among the environment data of Node's workers; a thread looks for it once. Where there is none, nothing stands
 * between the code and `Atomics`, or libc. The machine's own thread is the embedding program's and is left alone.
 */
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";
import { randomSource } from "../../shared/random.js";
import { SYS } from "./syscalls.js";
import type { Syscall } from "./syscalls.js";

const KEY = "xenolith-perturbation";

/** Operations that others may see, or that see others'. */
const OPERATIONS = [
  "add",
  "and",
  "compareExchange",
  "exchange",
  "load",
  "notify",
  "or",
  "store",
  "sub",
  "wait",
  "xor",
] as const;

/** One chance in so many, at each operation, to be held up at all; and of those, to sleep and to dawdle. */
const USUAL = { heldUp: 32, sleeps: 64, dawdles: 4 } as const;
const OFTEN = { heldUp: 4, sleeps: 4, dawdles: 4 } as const;
/** As long as that at most: longer than a lock's spinning, and than most of what others do meanwhile. */
const LONGEST_SLEEP_MS = 3;
const LONGEST_DAWDLE = 20_000;

interface Calls {
  readonly fast: Syscall;
  readonly syscall: Syscall;
}
/** Where a thread is: a word of shared memory, by its place in its buffer, or a system call. */
type HoldUp = (place: number) => void;
type Operation = (array: Int32Array, index: number, value: unknown, other: unknown) => unknown;

/** Threads that start from now on are held up by `seed`; by none when it is undefined. */
export function perturbThreads(seed: number | undefined): void {
  setEnvironmentData(KEY, seed);
}

/** The seed that holds threads of this one's up which start now. */
export function perturbationSeed(): number | undefined {
  const seed = getEnvironmentData(KEY) as unknown;
  return typeof seed === "number" ? seed : undefined;
}

/** `libc` as a thread called `actor` is to have it: with `Atomics` of this thread held up, too, where a seed is set. */
export function perturbedLibc<T extends Calls>(libc: T, actor: string): T {
  const seed = perturbationSeed();
  if (isMainThread || seed === undefined) return libc;
  const holdUp = holdUpBy(seed, actor, libc);
  holdUpAtomics(Atomics, holdUp);
  return { ...libc, fast: heldUp(libc.fast, holdUp), syscall: heldUp(libc.syscall, holdUp) };
}

/** Mostly nothing; else gives the processor away, counts for a while, or sleeps. Places are slow for all of a run's actors. */
export function holdUpBy(seed: number, actor: string, { fast }: Pick<Calls, "fast">): HoldUp {
  const below = randomSource(Buffer.from(actor).reduce((mixed, byte) => Math.imul(mixed, 31) + byte, seed));
  const { wait } = Atomics;
  const nobody = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  return (place) => {
    const chances = isSlow(seed, place) ? OFTEN : USUAL;
    if (below(chances.heldUp) !== 0) return;
    if (below(chances.sleeps) === 0) wait(nobody, 0, 0, 1 + below(LONGEST_SLEEP_MS));
    else if (below(chances.dawdles) === 0) for (let left = below(LONGEST_DAWDLE); left > 0; left--);
    else fast(SYS.sched_yield);
  };
}

export function isSlow(seed: number, place: number): boolean {
  const mixed = Math.imul(place ^ seed ^ (place >>> 15), 0x9e37_79b1);
  return Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b) >>> 29 === 0;
}

/** Has each operation of `atomics` begin with `holdUp`. What takes fewer arguments ignores the rest. */
export function holdUpAtomics(atomics: object, holdUp: HoldUp): void {
  for (const name of OPERATIONS) {
    const operation = Reflect.get(atomics, name) as Operation;

    const perturbed: Operation = (array, index, value, other) => {
      holdUp(array.byteOffset + index * array.BYTES_PER_ELEMENT);
      return operation(array, index, value, other);
    };
    Reflect.defineProperty(atomics, name, { value: perturbed, configurable: true, writable: true });
  }
}

function heldUp(syscall: Syscall, holdUp: HoldUp): Syscall {
  // eslint-disable-next-line @typescript-eslint/max-params -- as Syscall
  return (nr, a, b, c, d, e, f) => {
    holdUp(-nr);
    const result = syscall(nr, a, b, c, d, e, f);
    holdUp(-nr);
    return result;
  };
}
