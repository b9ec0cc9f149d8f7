/**
 * FIFO event channels: an event word per port in pages of the guest's, and per vCPU a control block with the heads of 16
 * queues, one a priority. Events of a queue are linked through their words; each is taken once, in order.
 *
 * [FIFO] Xen's "FIFO-based event channel ABI" design; [EVTCHN] xen.git xen/include/public/event_channel.h (EVTCHN_FIFO_*)
 *
 * All that changes anything is called under the port lock. Words, heads and the ready mask are shared with the guest,
 * which takes events meanwhile: each is touched by Atomics, read once, and trusted in nothing. What a guest breaks there
 * is its own delivery. Queues' tails are ours alone.
 */
import type { SharedArena } from "../shared/arena.js";
import { PAGE_SIZE } from "../shared/brand.js";
import type { EvtchnPort, VcpuId } from "../shared/brand.js";
import type { GuestMemory, MemoryRegion } from "../shared/memory.js";
import { Errno } from "./abi/errno.js";
import { ControlBlock, EventWord, FIFO_CHANNELS, Priority } from "./abi/evtchn-fifo.js";

const WORDS_PER_PAGE = PAGE_SIZE / 4;
const ARRAY_PAGES = FIFO_CHANNELS / WORDS_PER_PAGE;
const QUEUES = Priority.min + 1;
/** Frames are kept in 32 bits. */
const MAX_FRAME = 0x7fff_ffff;
/** A guest that changes a word between each look and write gets so many tries, then BUSY asks it to wait. */
const LINK_TRIES = 4;
const BUSY_TRIES = 64;

/** Words of our own. */
const ACTIVE = 0;
const PAGES = 1;

const NO_BLOCK = -1;

export interface FifoSnapshot {
  readonly active: boolean;
  /** Frame of each page of event words, in order. */
  readonly pages: readonly number[];
  /** Guest-physical address of each vCPU's control block, -1 for none. */
  readonly blocks: readonly number[];
  readonly tails: readonly number[];
  /** Per port with a word: priority, queue it was last on (+ 1), raised while it had no word. */
  readonly priorities: readonly number[];
  readonly queues: readonly number[];
  readonly held: readonly number[];
}

export class FifoEvents {
  readonly #memory: GuestMemory;
  readonly #vcpus: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #pages: Int32Array<SharedArrayBuffer>;
  readonly #blocks: Float64Array<SharedArrayBuffer>;
  /** Last port of each queue, [vcpu][priority]; 0 when it is known to be empty. */
  readonly #tails: Int32Array<SharedArrayBuffer>;
  readonly #priorities: Uint8Array<SharedArrayBuffer>;
  readonly #queues: Int32Array<SharedArrayBuffer>;
  readonly #held: Uint8Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, memory: GuestMemory, vcpus: number) {
    this.#memory = memory;
    this.#vcpus = vcpus;
    this.#words = arena.int32(2);
    this.#pages = arena.int32(ARRAY_PAGES);
    this.#blocks = arena.float64(vcpus);
    this.#tails = arena.int32(vcpus * QUEUES);
    this.#priorities = arena.uint8(FIFO_CHANNELS);
    this.#queues = arena.int32(FIFO_CHANNELS);
    this.#held = arena.uint8(FIFO_CHANNELS);
  }

  /** The guest has switched to FIFO channels. */
  get active(): boolean {
    return Atomics.load(this.#words, ACTIVE) !== 0;
  }

  /** Back to 2-level channels. */
  reset(): void {
    // Large, and untouched by most guests.
    if (!this.active) return;
    Atomics.store(this.#words, ACTIVE, 0);
    this.#words.fill(0);
  }

  /** EVTCHNOP_init_control: 0, or a negative error. The first one switches the domain over. */
  initControl(vcpu: VcpuId, frame: number, offset: number): number {
    if (offset > PAGE_SIZE - ControlBlock.size || offset % ControlBlock.alignment !== 0) return Errno.EINVAL;
    if (this.active && this.#blocks[vcpu] !== NO_BLOCK) return Errno.EINVAL;
    if (this.#page(frame) === undefined) return Errno.EINVAL;
    if (!this.active) this.#activate();
    this.#blocks[vcpu] = frame * PAGE_SIZE + offset;
    return 0;
  }

  /** EVTCHNOP_expand_array: first port of the new page, or a negative error. Its events that wait are the caller's. */
  expandArray(frame: number): number {
    if (!this.active) return Errno.EOPNOTSUPP;
    const page = this.#words[PAGES] ?? 0;
    if (page >= ARRAY_PAGES) return Errno.ENOSPC;
    if (this.#page(frame) === undefined) return Errno.EINVAL;
    this.#pages[page] = frame;
    Atomics.store(this.#words, PAGES, page + 1);
    return page * WORDS_PER_PAGE;
  }

  /** Ports that one page of event words holds. */
  readonly portsPerPage = WORDS_PER_PAGE;

  /** EVTCHNOP_set_priority: for the next time that `port` is queued. */
  setPriority(port: EvtchnPort, priority: number): number {
    if (!this.active) return Errno.ENOSYS;
    if (priority > Priority.min) return Errno.EINVAL;
    this.#priorities[port] = priority;
    return 0;
  }

  /** Sets the pending bit of `port`; true when it was clear. Without a word yet, the event waits for one. */
  setPending(port: EvtchnPort): boolean {
    const page = this.#pageOf(port);
    if (page !== undefined)
      return (Atomics.or(page.words, this.#index(port, page), EventWord.pending) & EventWord.pending) === 0;
    const fresh = this.#held[port] === 0;
    this.#held[port] = 1;
    return fresh;
  }

  /** Whether `port` was raised before it had a word; true once. */
  takeHeld(port: EvtchnPort): boolean {
    const held = this.#held[port] !== 0;
    this.#held[port] = 0;
    return held;
  }

  clearPending(port: EvtchnPort): void {
    this.#held[port] = 0;
    const page = this.#pageOf(port);
    if (page !== undefined) Atomics.and(page.words, this.#index(port, page), ~EventWord.pending);
  }

  pending(port: EvtchnPort): boolean {
    return (this.#load(port) & EventWord.pending) !== 0;
  }

  masked(port: EvtchnPort): boolean {
    return (this.#load(port) & EventWord.masked) !== 0;
  }

  /** True when the mask was set. */
  clearMask(port: EvtchnPort): boolean {
    const page = this.#pageOf(port);
    if (page === undefined) return false;
    return (Atomics.and(page.words, this.#index(port, page), ~EventWord.masked) & EventWord.masked) !== 0;
  }

  /**
   * Puts a pending port on its queue of `vcpu`, unless it is masked or still on one. True when the queue was empty and
   * not yet marked ready: `vcpu` must be told.
   */
  link(port: EvtchnPort, vcpu: VcpuId): boolean {
    const page = this.#pageOf(port);
    const block = this.#blocks[vcpu] ?? NO_BLOCK;
    const control = block < 0 ? undefined : this.#memory.region(block, ControlBlock.size);
    if (page === undefined || control === undefined) return false;
    const index = this.#index(port, page);
    if ((Atomics.load(page.words, index) & (EventWord.masked | EventWord.linked)) !== 0) return false;
    if ((Atomics.or(page.words, index, EventWord.linked) & EventWord.linked) !== 0) return false;
    const priority = this.#priorities[port] ?? Priority.default;
    const at = (block - control.gpa) / 4;
    if (this.#append(port, vcpu * QUEUES + priority)) return false;
    Atomics.store(control.words, at + ControlBlock.head + priority, port);
    const ready = 1 << priority;
    return (Atomics.or(control.words, at + ControlBlock.ready, ready) & ready) === 0;
  }

  save(): FifoSnapshot {
    const pages = this.active ? (this.#words[PAGES] ?? 0) : 0;
    const ports = pages * WORDS_PER_PAGE;
    return {
      active: this.active,
      pages: Array.from(this.#pages.subarray(0, pages)),
      blocks: Array.from(this.#blocks),
      tails: Array.from(this.#tails),
      priorities: Array.from(this.#priorities.subarray(0, ports)),
      queues: Array.from(this.#queues.subarray(0, ports)),
      held: Array.from(this.#held.subarray(0, ports)),
    };
  }

  /** Call on a domain just reset. */
  restore(state: FifoSnapshot): void {
    if (!state.active) return;
    this.#activate();
    this.#pages.set(state.pages);
    this.#words[PAGES] = state.pages.length;
    this.#blocks.set(state.blocks);
    this.#tails.set(state.tails);
    this.#priorities.set(state.priorities);
    this.#queues.set(state.queues);
    this.#held.set(state.held);
  }

  #activate(): void {
    this.#words[PAGES] = 0;
    this.#blocks.fill(NO_BLOCK, 0, this.#vcpus);
    this.#tails.fill(0);
    this.#priorities.fill(Priority.default);
    this.#queues.fill(0);
    this.#held.fill(0);
    Atomics.store(this.#words, ACTIVE, 1);
  }

  /** Makes `port` the last of `queue`; false when the queue was empty, so that it is the first, too. */
  #append(port: EvtchnPort, queue: number): boolean {
    // A port that is the tail of the queue it was last on has been taken from there, so nothing may be linked behind it.
    const last = (this.#queues[port] ?? 0) - 1;
    if (last >= 0 && this.#tails[last] === port) this.#tails[last] = 0;
    this.#queues[port] = queue + 1;
    const tail = this.#tails[queue] ?? 0;
    this.#tails[queue] = port;
    return tail !== 0 && this.#linkBehind(tail as EvtchnPort, port);
  }

  /** Links `port` behind `tail`; false when the guest has taken `tail` already. */
  #linkBehind(tail: EvtchnPort, port: EvtchnPort): boolean {
    const page = this.#pageOf(tail);
    if (page === undefined) return false;
    const index = this.#index(tail, page);
    for (let tries = 0; tries < LINK_TRIES + BUSY_TRIES; tries++) {
      if (tries === LINK_TRIES) Atomics.or(page.words, index, EventWord.busy);
      const word = Atomics.load(page.words, index);
      if ((word & EventWord.linked) === 0) break;
      const linked = (word & ~(EventWord.linkMask | EventWord.busy)) | port;
      if (Atomics.compareExchange(page.words, index, word, linked) === word) return true;
    }
    Atomics.and(page.words, index, ~EventWord.busy);
    return false;
  }

  #load(port: EvtchnPort): number {
    const page = this.#pageOf(port);
    return page === undefined ? 0 : Atomics.load(page.words, this.#index(port, page));
  }

  #pageOf(port: EvtchnPort): MemoryRegion | undefined {
    const page = port >>> 10;
    if (page >= Atomics.load(this.#words, PAGES)) return undefined;
    return this.#page(this.#pages[page] ?? 0);
  }

  #page(frame: number): MemoryRegion | undefined {
    return frame <= MAX_FRAME ? this.#memory.region(frame * PAGE_SIZE, PAGE_SIZE) : undefined;
  }

  /** Of the word of `port` among the words of `page`'s region. */
  #index(port: EvtchnPort, page: MemoryRegion): number {
    return ((this.#pages[port >>> 10] ?? 0) * PAGE_SIZE - page.gpa) / 4 + (port & (WORDS_PER_PAGE - 1));
  }
}
