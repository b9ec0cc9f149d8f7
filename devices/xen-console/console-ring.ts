/**
 * One PV console's shared page: bytes from the guest to an output, bytes from an input to the guest.
 *
 * All four indices live in the page and are read anew each time, as Xen's own console daemon does it: a guest kernel that
 * takes the page over from another finds nothing out of step. Nothing is taken from the ring while the output is full:
 * the guest sees a full ring and waits.
 *
 * [CONSOLE] xen.git xen/include/public/io/console.h, struct xencons_interface
 */
import type { Log } from "../../shared/log.js";
import type { MemoryRegion } from "../../shared/memory.js";

/** Where the guest's output goes. */
export interface ConsoleOutput {
  /** False when it is full: the byte was not taken, and `pump` is to be called when there is room again. */
  push(value: number): boolean;
}

/** Where the guest's input comes from. */
export interface ConsoleInput {
  /** The next byte, or -1 when there is none. */
  shift(): number;
}

export interface ConsoleRingHost {
  readonly output: ConsoleOutput;
  readonly input: ConsoleInput;
  readonly log: Log;
  /** Raises the console's event channel in the guest. */
  notify(): void;
}

/** [CONSOLE]: sizes of the two byte rings, powers of two, and offsets in the page. */
const IN_SIZE = 1024;
const OUT_SIZE = 2048;
const IN_OFFSET = 0;
const OUT_OFFSET = 1024;
/** [CONSOLE]: words of the page. The guest writes in_cons and out_prod, we in_prod and out_cons. */
const IN_CONS = 768;
const IN_PROD = 769;
const OUT_CONS = 770;
const OUT_PROD = 771;

export class ConsoleRing {
  readonly #host: ConsoleRingHost;
  #page: MemoryRegion | undefined = undefined;
  /** The page's place in its region: in bytes. */
  #offset = 0;
  #stalled = false;
  #complained = false;

  constructor(host: ConsoleRingHost) {
    this.#host = host;
  }

  /** True while guest output waits for room: call `pump` when there is. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /** Serves the page `offset` bytes into `region`, and what waits in it. `offset` is a multiple of 4. */
  attach(region: MemoryRegion, offset: number): void {
    this.#page = region;
    this.#offset = offset;
    this.#complained = false;
    this.pump();
  }

  /** Forgets the page. */
  detach(): void {
    this.#page = undefined;
    this.#stalled = false;
  }

  /** Moves what can be moved: when the guest notified us, when input came, and when the output has room again. */
  pump(): void {
    const page = this.#page;
    if (page === undefined) return;
    const sent = this.#takeOutput(page);
    const received = this.#giveInput(page);
    if (sent || received) this.#host.notify();
  }

  #takeOutput(page: MemoryRegion): boolean {
    const first = this.#load(page, OUT_CONS);
    const waiting = (this.#load(page, OUT_PROD) - first) >>> 0;
    this.#stalled = false;
    if (waiting > OUT_SIZE) return this.#complain("output");
    let taken = 0;
    while (taken < waiting) {
      const at = this.#offset + OUT_OFFSET + ((first + taken) & (OUT_SIZE - 1));
      if (!this.#host.output.push(page.bytes[at] ?? 0)) {
        this.#stalled = true;
        break;
      }
      taken++;
    }
    if (taken > 0) this.#store(page, OUT_CONS, first + taken);
    return taken > 0;
  }

  #giveInput(page: MemoryRegion): boolean {
    const first = this.#load(page, IN_PROD);
    const waiting = (first - this.#load(page, IN_CONS)) >>> 0;
    if (waiting > IN_SIZE) return this.#complain("input");
    let given = 0;
    while (waiting + given < IN_SIZE) {
      const value = this.#host.input.shift();
      if (value < 0) break;
      page.bytes[this.#offset + IN_OFFSET + ((first + given) & (IN_SIZE - 1))] = value;
      given++;
    }
    // The atomic store comes after the bytes: who sees the index sees them.
    if (given > 0) this.#store(page, IN_PROD, first + given);
    return given > 0;
  }

  /** Nothing moves in that direction while the indices are further apart than the ring is long. */
  #complain(direction: "output" | "input"): false {
    if (!this.#complained) this.#host.log.warn("The guest's console ring makes no sense", { direction });
    this.#complained = true;
    return false;
  }

  #load(page: MemoryRegion, word: number): number {
    return Atomics.load(page.words, this.#offset / 4 + word) >>> 0;
  }

  #store(page: MemoryRegion, word: number, value: number): void {
    Atomics.store(page.words, this.#offset / 4 + word, value | 0);
  }
}
