/**
 * How a machine stops, in shared memory: whether vCPUs may run, and why the machine came to its end.
 *
 * Any thread may ask; the first reason wins. vCPU threads look at `stopping` between exits, come back to their event
 * loops, and the machine in the embedding program's thread decides what follows.
 */
import type { SharedArena } from "../shared/arena.js";

/** Why the guest's run ended. The numbers live in shared memory only. */
const REASONS = [
  "none",
  "poweroff",
  "reset",
  "crash",
  "suspend",
  "soft-reset",
  "debug-exit",
  "failed",
  "watchdog",
  "triple-fault",
] as const;
export type EndReason = (typeof REASONS)[number];

const STOPPING = 0;
const REASON = 1;
const DETAIL = 2;
const VCPU = 3;
const DEVICES_READY = 4;
const OUTPUT = 5;
const PLATFORM_READY = 6;
const ABANDONED = 7;
/** How often a vCPU that waits for the device actor looks whether it is to stop. */
const READY_WAIT_MS = 20;
/** A reset of the platform takes milliseconds, on a busy host seconds. */
const PLATFORM_WAIT_MS = 30_000;

export class Lifecycle {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena) {
    this.#words = arena.int32(8);
  }

  /** True when vCPU threads must leave their loops. */
  get stopping(): boolean {
    return Atomics.load(this.#words, STOPPING) !== 0;
  }

  /** Asks the vCPUs to stop; the caller kicks them afterwards. */
  stop(): void {
    Atomics.store(this.#words, STOPPING, 1);
  }

  /** The process ends with the machine in it: no thread may go on, or sleep where only the machine would wake it. */
  abandon(): void {
    Atomics.store(this.#words, ABANDONED, 1);
    this.stop();
  }

  get abandoned(): boolean {
    return Atomics.load(this.#words, ABANDONED) !== 0;
  }

  /** Lets vCPUs run again and forgets why they stopped. With all of them at rest. */
  clear(): void {
    Atomics.store(this.#words, REASON, 0);
    Atomics.store(this.#words, DETAIL, 0);
    Atomics.store(this.#words, STOPPING, 0);
  }

  /** Ends the run for `reason`; true for the first who says so. `detail` goes with it (an exit code, for one). */
  end(reason: Exclude<EndReason, "none">, vcpu: number, detail = 0): boolean {
    const first = Atomics.compareExchange(this.#words, REASON, 0, REASONS.indexOf(reason)) === 0;
    if (first) {
      Atomics.store(this.#words, DETAIL, detail);
      Atomics.store(this.#words, VCPU, vcpu);
    }
    this.stop();
    return first;
  }

  get reason(): EndReason {
    return REASONS[Atomics.load(this.#words, REASON)] ?? "none";
  }

  get detail(): number {
    return Atomics.load(this.#words, DETAIL);
  }

  /** The vCPU that ended it, or -1. */
  get vcpu(): number {
    return Atomics.load(this.#words, VCPU);
  }

  /** vCPU 0's thread: the platform has its power-on state. Before a machine's first start it has not. */
  setPlatformReady(): void {
    Atomics.store(this.#words, PLATFORM_READY, 1);
    Atomics.notify(this.#words, PLATFORM_READY);
  }

  /** Device actor: waits for that, which comes whether the machine stops or not; false when it does not come. */
  awaitPlatform(): boolean {
    return Atomics.wait(this.#words, PLATFORM_READY, 0, PLATFORM_WAIT_MS) !== "timed-out";
  }

  /** The device actor is up: xenstore and the PV devices answer. */
  get devicesReady(): boolean {
    return Atomics.load(this.#words, DEVICES_READY) !== 0;
  }

  set devicesReady(ready: boolean) {
    Atomics.store(this.#words, DEVICES_READY, ready ? 1 : 0);
    Atomics.notify(this.#words, DEVICES_READY);
  }

  /** vCPU thread: waits until the device actor is up; returns early when the machine stops. */
  awaitDevices(): void {
    while (!this.devicesReady && !this.stopping) Atomics.wait(this.#words, DEVICES_READY, 0, READY_WAIT_MS);
  }

  /** Somebody has written to an output ring since the device actor last found all of them empty. */
  get outputWaits(): boolean {
    return Atomics.load(this.#words, OUTPUT) !== 0;
  }

  set outputWaits(waits: boolean) {
    Atomics.store(this.#words, OUTPUT, waits ? 1 : 0);
  }
}
