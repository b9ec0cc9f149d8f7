/**
 * Output of a guest's UART in every interleaving: the chip (devices/uart16550.ts) and its ring, the doorbell
 * (actors/host/eventfd.ts), the actor's loop around ppoll (actors/actor-loop.ts, actors/host/poller.ts) and the stream
 * that drains (actors/streams.ts).
 */
import assert from "node:assert/strict";
import { ActorLoop } from "../../actors/actor-loop.js";
import { Doorbell } from "../../actors/host/eventfd.js";
import { Stream } from "../../actors/streams.js";
import type { MachineThread } from "../../actors/thread.js";
import { Uart16550 } from "../../devices/uart16550.js";
import { ByteRing } from "../../shared/byte-ring.js";
import type { Explored } from "./explorer.js";
import { ModelHost } from "./host.js";
import { explore, watched, watchedArena } from "./instruments.js";
import type { Plant } from "./instruments.js";

const BELL = 0;
const KICK = 1;
/** [16550] THR */
const THR = 0;
const ARENA_BYTES = 32 * 1024;

/** What one machine's threads share. */
class Fixture {
  readonly host = new ModelHost();
  readonly #arena = new SharedArrayBuffer(ARENA_BYTES);
  /** The flags of bell and kick. */
  readonly rung = new Int32Array(new SharedArrayBuffer(8));
  /** How many bytes came out, and which, as a number with a decimal digit for each. */
  readonly out = new Int32Array(new SharedArrayBuffer(4));

  /** The bell, the kick and the chip as a thread has them. */
  thread() {
    const { libc, scratch } = this.host.thread();
    const bell = new Doorbell(libc, scratch, BELL, this.rung.subarray(0, 1));
    const kick = new Doorbell(libc, scratch, KICK, this.rung.subarray(1, 2));
    const uart = new Uart16550(watchedArena(this.#arena, "locked"), {
      irq: { set: () => undefined },
      transmit: () => {
        bell.ring();
      },
      receivable: () => undefined,
    });
    return { libc, scratch, bell, kick, uart };
  }

  /** The device actor, for ever. */
  async device(): Promise<void> {
    const { libc, scratch, bell, kick, uart } = this.thread();
    const clock = { nowNs: () => 0 };
    const lifecycle = { abandoned: false };
    const parts = { libc, scratch, clock, lifecycle, doorbells: [bell], guestKicks: [kick] };
    const thread = parts as unknown as MachineThread;
    const drained = (): void => {
      uart.transmitted();
    };
    const output = {
      name: "serial0",
      output: uart.output,
      input: undefined,
      drained,
      arrived: () => undefined,
    } as const;
    const stream = new Stream(output, (_, bytes) => {
      // Its own, and so no step.
      const out = watched(this.out, "locked");
      for (const byte of bytes) out[0] = (out[0] ?? 0) * 10 + byte;
    });
    const pump = (): void => {
      stream.pump();
    };
    await new ActorLoop(thread, 0).run({ rung: pump, guestKicked: pump, beforeSleep: () => Infinity });
  }

  /** Sends bytes 1, 2, … */
  guest(bytes: number): readonly (() => void)[] {
    return Array.from({ length: bytes }, (_, i) => () => {
      this.thread().uart.write(THR, 1, i + 1);
    });
  }
}

interface Traffic {
  readonly bytes: number;
  /** Others that ring the bell, and KVM, which signals the kick's eventfd by itself. */
  readonly others: readonly ("rings" | "kicks")[];
  readonly plant?: Plant;
}

async function send({ bytes, others, plant }: Traffic, fixture = new Fixture()): Promise<Explored> {
  const other = {
    rings: () => {
      fixture.thread().bell.ring();
    },
    kicks: () => {
      Atomics.add(fixture.host.counters, KICK, 1);
    },
  };
  const device = (): Promise<void> => fixture.device();
  const sent = Number(Array.from({ length: bytes }, (_, i) => i + 1).join(""));
  return explore(
    {
      threads: {
        guest: fixture.guest(bytes),
        device,
        ...Object.fromEntries(others.map((kind) => [kind, other[kind]])),
      },
      check: ({ ended }) => {
        assert.deepEqual(ended.filter((_, thread) => thread !== 1).includes(false), false, "somebody waits for ever");
        assert.equal(fixture.out[0], sent, "the device actor sleeps, with bytes in the ring");
      },
    },
    plant,
  );
}

const LOST = /with bytes in the ring/;

describe("A UART's output, in every interleaving", () => {
  it("comes out, each byte once and in order", async () => {
    const { interleavings } = await send({ bytes: 2, others: [] });
    assert(interleavings > 100_000n, `${interleavings}`);
  });

  it("comes out while others ring the same bell", async () => {
    const { interleavings } = await send({ bytes: 2, others: ["rings"] });
    assert(interleavings > 1_000_000n, `${interleavings}`);
  });

  it("comes out while KVM signals the eventfd beside it", async () => {
    const { interleavings } = await send({ bytes: 2, others: ["kicks"] });
    assert(interleavings > 1_000_000n, `${interleavings}`);
  });

  it("is found out when the bell is silenced before its eventfd is read", async () => {
    // Doorbell.answer() in the other order: what rings in between is read away, and its flag stays up.
    const fixture = new Fixture();
    const plant: Plant = ({ exchange, store }) => ({
      exchange(array, index, value) {
        if (array === fixture.host.counters) store(fixture.rung, index, 0);
        return exchange(array, index, value);
      },
      store: (array, index, value) => (array.buffer === fixture.rung.buffer ? value : store(array, index, value)),
    });
    await assert.rejects(send({ bytes: 2, others: ["rings"], plant }, fixture), LOST);
  });

  it("is found out when the bell's flag is taken up by a look and a store", async () => {
    const plant: Plant = ({ exchange, load, plainStore }) => ({
      exchange(array, index, value) {
        if (value !== 1) return exchange(array, index, value);
        const old = load(array, index);
        plainStore(array, index, 1);
        return old;
      },
    });
    await assert.rejects(send({ bytes: 2, others: ["rings"], plant }), LOST);
  });

  it("is found out when the chip's index is a plain store, which its look at the reader's passes", async () => {
    const plant: Plant = ({ store, plainStore }) => ({
      store: (array, index, value) =>
        array.length === 2 ? plainStore(array, index, value) : store(array, index, value),
    });
    await assert.rejects(send({ bytes: 2, others: [], plant }), LOST);
  });
});

describe("ByteRing, in every interleaving", () => {
  async function pass(plant?: Plant): Promise<Explored> {
    const buffer = new SharedArrayBuffer(256);
    const ring = (): ByteRing => new ByteRing(watchedArena(buffer, "racy"), 2);
    const producer = [1, 2, 3].map((byte) => () => ring().push(byte));
    const consumer = [1, 2, 3].map(() => () => ring().shift());
    return explore(
      {
        threads: { producer, consumer },
        check: ({ values: [pushed = [], shifted = []] }) => {
          const went = [1, 2, 3].filter((_, i) => pushed[i] === true);
          const came = shifted.filter((byte) => byte !== -1);
          assert.deepEqual(came, went.slice(0, came.length));
        },
      },
      plant,
    );
  }

  it("gives bytes on in order, and none that was not pushed", async () => {
    const { interleavings } = await pass();
    assert(interleavings > 1000n, `${interleavings}`);
  });

  it("is found out when an index overtakes the byte before it", async () => {
    const plant: Plant = ({ overtakingStore }) => ({ store: overtakingStore });
    await assert.rejects(pass(plant));
  });
});
