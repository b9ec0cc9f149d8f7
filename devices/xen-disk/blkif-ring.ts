/**
 * The back end's half of a block ring: its pages, its private indices, and when to notify whom.
 *
 * A ring of several pages is one array over all of them, and as 64 + n * 112 is no divisor of a page, a slot may straddle
 * two that lie anywhere in guest memory. Requests are copied out, once, before anything looks at them.
 *
 * [RING] xen.git xen/include/public/io/ring.h
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import { RING_HEADER_SIZE, ringSlots } from "./blkif-abi.js";
import type { BlkifAbi } from "./blkif-abi.js";
import type { RingPage } from "./ring-pages.js";

/** Words of struct blkif_sring, all in its first page. */
const REQ_PROD = 0;
const REQ_EVENT = 1;
const RSP_PROD = 2;
const RSP_EVENT = 3;
const WORDS_PER_PAGE = PAGE_SIZE / 4;
const HEADER_WORDS = RING_HEADER_SIZE / 4;

export class BlkifRing {
  /** Slots: a power of two. */
  readonly size: number;
  readonly #pages: readonly RingPage[];
  readonly #slotWords: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Word of the first page in its region. */
  readonly #header: number;
  /** Next request to fetch. */
  #reqCons: number;
  /** Next response to write; those below `#rspPushed` the guest may see. */
  #rspProd: number;
  #rspPushed: number;

  /** `first` is pages[0]. Starts where the ring's responses end, so that a ring that was in use goes on. */
  constructor(abi: BlkifAbi, first: RingPage, pages: readonly RingPage[]) {
    this.size = ringSlots(abi, pages.length);
    this.#pages = pages;
    this.#slotWords = abi.slotSize / 4;
    this.#words = first.region.words;
    this.#header = first.word;
    this.#rspProd = this.#load(RSP_PROD);
    this.#reqCons = this.#rspProd;
    this.#rspPushed = this.#rspProd;
  }

  /** Requests that wait; -1 when the guest's index lies ([RING] RING_REQUEST_PROD_OVERFLOW). */
  waiting(): number {
    const prod = this.#load(REQ_PROD);
    if ((prod - this.#rspProd) >>> 0 > this.size) return -1;
    // In flight plus waiting never exceeds the ring: that follows from the check, as requests are answered once each.
    const waiting = (prod - this.#reqCons) >>> 0;
    return waiting <= this.size ? waiting : -1;
  }

  /** Copies the next request's slot into `target`, which holds a slot's words. Call only when one is waiting. */
  fetch(target: Int32Array<ArrayBuffer>): void {
    const slot = HEADER_WORDS + (this.#reqCons & (this.size - 1)) * this.#slotWords;
    this.#reqCons = (this.#reqCons + 1) >>> 0;
    let done = 0;
    while (done < this.#slotWords) {
      const page = this.#pages[Math.floor((slot + done) / WORDS_PER_PAGE)];
      if (page === undefined) return;
      const start = (slot + done) % WORDS_PER_PAGE;
      const count = Math.min(this.#slotWords - done, WORDS_PER_PAGE - start);
      const { words } = page.region;
      for (let i = 0; i < count; i++) target[done + i] = words[page.word + start + i] ?? 0;
      done += count;
    }
  }

  /**
   * Asks for an event at the very next request, and says whether one has come in the meantime
   * ([RING] RING_FINAL_CHECK_FOR_REQUESTS: the store is ordered before the second look).
   */
  armAndCheck(): boolean {
    Atomics.store(this.#words, this.#header + REQ_EVENT, (this.#reqCons + 1) | 0);
    return this.#load(REQ_PROD) !== this.#reqCons;
  }

  /** Writes a response; the guest sees it after {@link push}. */
  respond(
    response: { readonly idLow: number; readonly idHigh: number; readonly operation: number },
    status: number,
  ): void {
    const slot = HEADER_WORDS + (this.#rspProd & (this.size - 1)) * this.#slotWords;
    this.#rspProd = (this.#rspProd + 1) >>> 0;
    this.#store(slot, response.idLow);
    this.#store(slot + 1, response.idHigh);
    this.#store(slot + 2, response.operation | (status << 16));
  }

  /** Shows the guest the responses written so far; true when it asked to be notified ([RING] CHECK_NOTIFY). */
  push(): boolean {
    const old = this.#rspPushed;
    const next = this.#rspProd;
    if (old === next) return false;
    // The atomic store orders the responses before the index, and the index before the look at rsp_event.
    Atomics.store(this.#words, this.#header + RSP_PROD, next | 0);
    this.#rspPushed = next;
    return (next - this.#load(RSP_EVENT)) >>> 0 < (next - old) >>> 0;
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#header + word) >>> 0;
  }

  #store(word: number, value: number): void {
    const page = this.#pages[Math.floor(word / WORDS_PER_PAGE)];
    if (page !== undefined) page.region.words[page.word + (word % WORDS_PER_PAGE)] = value | 0;
  }
}
