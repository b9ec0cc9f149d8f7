/**
 * Event channels in every interleaving of senders with a guest that takes its events: xen/event-channels.ts,
 * xen/event-delivery.ts, xen/two-level-events.ts and xen/fifo-events.ts.
 *
 * [XEN] xen.git xen/include/public/xen.h (struct shared_info); [EVTCHN] public/event_channel.h (EVTCHN_FIFO_*)
 */
import assert from "node:assert/strict";
import type { XenDomain } from "../../xen/xen-domain.js";
import { bindIpi, CONTROL, FifoConsumer, fifoGuest, LINKED, MASKED, PAGE, PENDING, wordAt } from "../xen/fifo-guest.js";
import { Guest } from "../xen/guest.js";
import type { Explored } from "./explorer.js";
import { explore, take, watchedArena } from "./instruments.js";
import type { Plant } from "./instruments.js";

const HVM_OP = 34;
const SET_PARAM = 0;
const SELF = 0x7ff0;
const CALLBACK_IRQ = 0;
const VECTOR = 2 << 24;
/** [XEN] of vCPU 0, 64-bit: evtchn_upcall_pending, and evtchn_pending_sel's low word. */
const UPCALL_PENDING = 0;
const SELECTOR = 8 / 4;
/** [XEN] shared_info: words of pending and mask bits. */
const PENDING_WORDS = 0x800 / 4;
const MASK_WORDS = 0xa00 / 4;

/** The first port whose bits are in other words than those of the first. */
const OTHER_WORD = 64;

/** Binds ports until there is `wanted`. */
function bindUpTo(guest: Guest, wanted: number): number {
  for (;;) {
    const port = bindIpi(guest);
    if (port >= wanted) return port;
  }
}

/** A guest with two ports of vCPU 0, which is told by vector. */
class Fixture {
  readonly guest: Guest;
  readonly ports: readonly number[];
  /** An interrupt waits for vCPU 0. */
  readonly irq = new Int32Array(new SharedArrayBuffer(4));
  readonly #fifo: boolean;

  constructor(fifo: boolean) {
    this.#fifo = fifo;
    this.guest = fifo ? fifoGuest() : new Guest();
    this.ports = [bindIpi(this.guest), bindUpTo(this.guest, OTHER_WORD)];
    this.guest.op(HVM_OP, SET_PARAM, SELF, CALLBACK_IRQ, 0xf3, VECTOR);
    this.guest.host.request = () => {
      Atomics.store(this.irq, 0, 1);
    };
  }

  /** The domain as another thread has it. All that changes in it is in shared memory. */
  twin(): XenDomain {
    return this.guest.twin(watchedArena(this.guest.arenaBuffer, "locked"));
  }

  /** The handler of vCPU 0, for ever. */
  handle(): void {
    const { bytes, words } = this.guest.xen.domain.sharedInfo;
    const consumer = new FifoConsumer(this.guest, 0);
    for (;;) {
      take("wait for an interrupt", this.irq, 0);
      Atomics.store(bytes, UPCALL_PENDING, 0);
      if (this.#fifo) consumer.run();
      else this.#takeBits(words, Atomics.exchange(words, SELECTOR, 0));
    }
  }

  /** Of the 64-bit words that are selected. */
  #takeBits(words: Int32Array, selected: number): void {
    for (const port of this.ports) {
      if ((selected & (1 << (port >>> 6))) === 0) continue;
      const [word, bit] = [port >>> 5, 1 << (port & 31)];
      const found = Atomics.load(words, PENDING_WORDS + word) & ~Atomics.load(words, MASK_WORDS + word);
      if ((found & bit) !== 0) Atomics.and(words, PENDING_WORDS + word, ~bit);
    }
  }

  mask(port: number): void {
    if (this.#fifo) Atomics.or(this.guest.ram.words, wordAt(port) >>> 2, MASKED);
    else Atomics.or(this.guest.xen.domain.sharedInfo.words, MASK_WORDS + (port >>> 5), 1 << (port & 31));
  }

  /** Whether an event that was sent has not been taken. */
  waits(port: number): boolean {
    if (this.#fifo) return (this.guest.word(wordAt(port)) & PENDING) !== 0;
    return ((this.guest.xen.domain.sharedInfo.words[PENDING_WORDS + (port >>> 5)] ?? 0) & (1 << (port & 31))) !== 0;
  }
}

interface Senders {
  readonly fifo: boolean;
  /** By sender: the ports that it sends to, 0 and 1. */
  readonly sends: readonly (readonly number[])[];
  /** Another vCPU masks port 0, and unmasks it by EVTCHNOP_unmask. */
  readonly masks?: boolean;
  readonly plant?: Plant;
}

async function deliver({ fifo, sends, masks = false, plant }: Senders): Promise<Explored> {
  const fixture = new Fixture(fifo);
  const port = (index: number): number => fixture.ports[index] ?? 0;
  const senders = sends.map((ports, index) => {
    const domain = fixture.twin();
    return [`sender ${index}`, ports.map((to) => () => domain.events.send(port(to)))] as const;
  });
  const domain = fixture.twin();
  const masker = [
    () => {
      fixture.mask(port(0));
    },
    () => domain.events.unmask(port(0)),
  ];
  const guest = (): void => {
    fixture.handle();
  };
  return explore(
    {
      threads: { guest, ...Object.fromEntries(senders), ...(masks ? { masker } : {}) },
      check: ({ ended }) => {
        assert(!ended.slice(1).includes(false), "a sender waits for ever");
        const lost = sends.flat().filter((to) => fixture.waits(port(to)));
        assert.deepEqual(lost, [], "an event waits, and the guest sleeps");
      },
    },
    plant,
  );
}

const LOST = /an event waits, and the guest sleeps/;

for (const [name, fifo] of [
  ["2-level", false],
  ["FIFO", true],
] as const) {
  describe(`${name} event channels, in every interleaving`, () => {
    it("lose no event of two senders to two ports", async () => {
      const { interleavings } = await deliver({ fifo, sends: [[0], [1]] });
      assert(interleavings > 50n, `${interleavings}`);
    });

    it("lose no event sent twice to a port", async () => {
      const { interleavings } = await deliver({ fifo, sends: [[0, 0]] });
      assert(interleavings > 50n, `${interleavings}`);
    });

    it("lose no event to a port that is masked and unmasked", async () => {
      const { interleavings } = await deliver({ fifo, sends: [[0]], masks: true });
      assert(interleavings > 50n, `${interleavings}`);
    });
  });
}

describe("2-level event channels with a mistake are found out", () => {
  const fifo = false;

  it("when evtchn_upcall_pending is set before the selector", async () => {
    const plant: Plant = ({ or, load, exchange }) => {
      let late: (() => number) | undefined;
      return {
        or(array, index, value) {
          if (index !== SELECTOR) return or(array, index, value);
          late = () => or(array, index, value);
          return load(array, index);
        },
        exchange(array, index, value) {
          const old = exchange(array, index, value);
          if (value === 1 && array instanceof Uint8Array) late?.();
          return old;
        },
      };
    };
    await assert.rejects(deliver({ fifo, sends: [[0], [1]], plant }), LOST);
  });
});

describe("FIFO event channels with a mistake are found out", () => {
  const fifo = true;
  /** The queue of priority 7, the default. [EVTCHN] struct evtchn_fifo_control_block */
  const HEAD = (CONTROL * PAGE) / 4 + 2 + 7;
  const READY = 1 << 7;

  it("when the guest writes the head of a queue that it has emptied", async () => {
    const plant: Plant = ({ compareExchange, store }) => ({
      compareExchange(array, index, expected, value) {
        const old = compareExchange(array, index, expected, value);
        const taken = old === expected && (old & LINKED) !== 0 && (value & LINKED) === 0;
        if (taken && array.length > PAGE) store(array, HEAD, 0);
        return old;
      },
    });
    await assert.rejects(deliver({ fifo, sends: [[0], [1]], plant }), LOST);
  });

  it("when the ready bit is set before the head", async () => {
    const plant: Plant = ({ store, or }) => {
      let late: (() => number) | undefined;
      return {
        store(array, index, value) {
          if (index !== HEAD) return store(array, index, value);
          late = () => store(array, index, value);
          return value;
        },
        or(array, index, value) {
          const old = or(array, index, value);
          if (value === READY) late?.();
          return old;
        },
      };
    };
    await assert.rejects(deliver({ fifo, sends: [[0], [1]], plant }), LOST);
  });
});
