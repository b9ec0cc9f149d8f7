/** FIFO event channels as a guest sees them: where it has its words, and an upcall handler as Linux has it. */
import assert from "node:assert/strict";
import { Guest } from "./guest.js";

/** xen/include/public/event_channel.h: bits of an event word. */
export const PENDING = 0x8000_0000;
export const MASKED = 0x4000_0000;
export const LINKED = 0x2000_0000;
export const LINK = 0x1_ffff;
/** Frames of the control blocks, one for each vCPU, and of the event words. */
export const CONTROL = 0x10;
export const ARRAY = 0x20;
export const PAGE = 4096;
/** Hypercall and sub-operations. */
const EVENT_CHANNEL_OP = 32;
export const BIND_IPI = 7;
export const INIT_CONTROL = 11;
export const EXPAND_ARRAY = 12;

/** Guest-physical address of the event word of `port`. */
export function wordAt(port: number): number {
  return ARRAY * PAGE + port * 4;
}

export function op(guest: Guest, command: number, ...words: readonly number[]): number {
  return guest.op(EVENT_CHANNEL_OP, command, ...words);
}

export function initControl(guest: Guest, vcpu: number, frame = CONTROL + vcpu, offset = 0): number {
  return op(guest, INIT_CONTROL, frame, 0, offset, vcpu, 0, 0);
}

export function expand(guest: Guest, page: number): number {
  return op(guest, EXPAND_ARRAY, ARRAY + page, 0);
}

/** A guest with FIFO channels on all its vCPUs, and words for its first 1024 ports. */
export function fifoGuest(options: ConstructorParameters<typeof Guest>[0] = {}): Guest {
  const guest = new Guest(options);
  for (let vcpu = 0; vcpu < guest.config.vcpus; vcpu++) assert.equal(initControl(guest, vcpu), 0);
  assert.equal(expand(guest, 0), 0);
  return guest;
}

export function bindIpi(guest: Guest, vcpu = 0): number {
  assert.equal(op(guest, BIND_IPI, vcpu, 0), 0);
  return guest.out(1);
}

/**
 * Takes what is queued for a vCPU as a guest's upcall handler does (Linux, drivers/xen/events/events_fifo.c): the control
 * block's heads are Xen's, and only read. `step` runs between any two accesses.
 */
export class FifoConsumer {
  readonly #guest: Guest;
  readonly #block: number;
  readonly #heads = new Array<number>(16).fill(0);
  readonly taken: number[] = [];

  constructor(guest: Guest, vcpu: number) {
    this.#guest = guest;
    this.#block = (CONTROL + vcpu) * PAGE;
  }

  run(step: () => void = () => undefined): void {
    const { ram } = this.#guest;
    let ready = Atomics.exchange(ram.words, this.#block >>> 2, 0) >>> 0;
    while (ready !== 0) {
      const queue = 31 - Math.clz32(ready & -ready);
      step();
      if (!this.#takeOne(queue, step)) ready &= ~(1 << queue);
      ready |= Atomics.exchange(ram.words, this.#block >>> 2, 0) >>> 0;
    }
  }

  /** False when the queue is empty after it. */
  #takeOne(queue: number, step: () => void): boolean {
    const { ram } = this.#guest;
    let head = this.#heads[queue] ?? 0;
    if (head === 0) head = Atomics.load(ram.words, (this.#block >>> 2) + 2 + queue);
    if (head === 0) return false;
    step();
    const index = wordAt(head) >>> 2;
    let word: number;
    do word = Atomics.load(ram.words, index);
    while (Atomics.compareExchange(ram.words, index, word, word & ~(LINKED | LINK)) !== word);
    const link = word & LINK;
    this.#heads[queue] = link;
    step();
    const now = Atomics.load(ram.words, index);
    if ((now & PENDING) !== 0 && (now & MASKED) === 0) {
      Atomics.and(ram.words, index, ~PENDING);
      this.taken.push(head);
    }
    return link !== 0;
  }
}
