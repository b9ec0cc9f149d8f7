/** actors/kicks.ts in every interleaving of a vCPU's loop with those who want something of it. */
import assert from "node:assert/strict";
import { Kicks } from "../../actors/kicks.js";
import { KvmRun } from "../../actors/host/exit.js";
import { runOffset } from "../support/kvm-reference.js";
import { SharedArena } from "../../shared/arena.js";
import type { Explored } from "./explorer.js";
import { ModelHost } from "./host.js";
import { explore } from "./instruments.js";
import type { Plant } from "./instruments.js";

const AREA = 3 * 4096;
const VCPU = 0;
/** Words of a vCPU in shared memory: its mailbox's requests, and whether it is inside. */
const REQUESTS = 0;
const STATE = 2;
const INSIDE = 1;
/** A request that has the vCPU finish its exit. */
const FINISHES = 1;
/** As many times as a vCPU can be got out of the guest here, and once more. */
const ROUNDS = 7;

class Fixture {
  readonly host = new ModelHost();
  readonly #arena = new SharedArrayBuffer(4096);
  readonly #areas = new SharedArrayBuffer(AREA);
  readonly #bytes = new Uint8Array(this.#areas);
  /** Requests that the vCPU has taken. */
  readonly taken = new Int32Array(new SharedArrayBuffer(4));
  readonly running = new Int32Array(new SharedArrayBuffer(4));
  readonly stopping = new Int32Array(new SharedArrayBuffer(4));
  readonly stopped = new Int32Array(new SharedArrayBuffer(4));

  kicks(): Kicks {
    const runs = [new KvmRun(this.#areas, 0, AREA)];
    return new Kicks(new SharedArena(this.#arena), this.host.thread().libc, runs);
  }

  /** One round of the loop of a vCPU's thread (`VcpuThread`), unless it has all that it waits for. */
  round(all: number, exits: boolean): void {
    const kicks = this.kicks();
    for (let asked = kicks.take(VCPU); asked !== 0; asked = kicks.take(VCPU)) Atomics.or(this.taken, 0, asked);
    if (Atomics.load(this.taken, 0) === all) return;
    kicks.enter(VCPU);
    const exit = runOffset("immediateExit");
    const interrupted = this.host.run({ tid: 0, area: this.#bytes, exit, running: this.running, exits });
    kicks.leave(VCPU);
    if (interrupted) kicks.clear(VCPU);
  }

  /**
   * One round of a vCPU that has an exit to finish when it is asked for something, which swallows a kick, and that leaves its
   * loop when it is to stop; `again` is its look at that after it has served.
   */
  stoppableRound(again: boolean): void {
    const kicks = this.kicks();
    const area = { tid: 0, area: this.#bytes, exit: runOffset("immediateExit"), running: this.running, exits: false };
    if (this.#stops()) return;
    for (let asked = kicks.take(VCPU); asked !== 0; asked = kicks.take(VCPU)) {
      if ((asked & FINISHES) === 0) continue;
      new KvmRun(this.#areas, 0, AREA).setImmediateExit();
      this.host.run(area);
      kicks.clear(VCPU);
    }
    if (again && this.#stops()) return;
    kicks.enter(VCPU);
    this.host.run(area);
    kicks.leave(VCPU);
    kicks.clear(VCPU);
  }

  #stops(): boolean {
    if (Atomics.load(this.stopping, 0) === 0) return false;
    Atomics.store(this.stopped, 0, 1);
    return true;
  }

  vcpu(all: number, exits: number): readonly (() => void)[] {
    return Array.from({ length: ROUNDS }, (_, i) => () => {
      this.round(all, i < exits);
    });
  }
}

async function requests(plant?: Plant): Promise<Explored> {
  const fixture = new Fixture();
  const asker = (bits: number) => () => {
    fixture.kicks().request(VCPU, bits);
  };
  return explore(
    {
      threads: { vcpu: fixture.vcpu(0b11, 1), a: asker(0b01), b: asker(0b10) },
      check: ({ ended }) => {
        assert(!ended.includes(false), "the vCPU stays in the guest for ever");
        assert.equal(fixture.taken[0], 0b11);
      },
    },
    plant,
  );
}

async function held(plant?: Plant): Promise<Explored> {
  const fixture = new Fixture();
  const holder = [
    () => {
      fixture.kicks().whileHeld(() => {
        assert.equal(Atomics.load(fixture.running, 0), 0, "the guest runs while it is held");
      });
    },
    () => {
      fixture.kicks().request(VCPU, 1);
    },
  ];
  return explore(
    {
      threads: { vcpu: fixture.vcpu(1, 1), holder },
      check: ({ ended }) => {
        assert(!ended.includes(false), "somebody waits for ever");
      },
    },
    plant,
  );
}

/** Somebody takes a vCPU down, and somebody stops the machine. */
async function stopped(again: boolean): Promise<Explored> {
  const fixture = new Fixture();
  return explore({
    threads: {
      vcpu: Array.from({ length: 4 }, () => () => {
        fixture.stoppableRound(again);
      }),
      other: () => {
        fixture.kicks().request(VCPU, FINISHES);
      },
      machine: () => {
        Atomics.store(fixture.stopping, 0, 1);
        fixture.kicks().request(VCPU, 2);
      },
    },
    check: ({ ended }) => {
      assert(!ended.includes(false), "the vCPU stays in the guest for ever");
      assert.equal(fixture.stopped[0], 1);
    },
  });
}

describe("Kicks, in every interleaving", () => {
  it("get a vCPU out of the guest for each request, whose bits it then takes", async () => {
    const { interleavings } = await requests();
    assert(interleavings > 1_000_000n, `${interleavings}`);
  });

  it("hold a vCPU out of the guest, and let it go on", async () => {
    const { interleavings } = await held();
    assert(interleavings > 100_000n, `${interleavings}`);
  });

  it("stop a vCPU that finishes its exit just then, as it looks once more before it goes in", async () => {
    const { interleavings } = await stopped(true);
    assert(interleavings > 10_000n, `${interleavings}`);
    await assert.rejects(stopped(false), /in the guest for ever/);
  });

  it("are found out when a vCPU says late that it is inside", async () => {
    const plant: Plant = ({ store, plainStore }) => ({
      store: (array, index, value) =>
        value === INSIDE && index === STATE ? plainStore(array, index, value) : store(array, index, value),
    });
    await assert.rejects(held(plant), /the guest runs while it is held/);
  });

  it("are found out when the request is posted behind immediate_exit", async () => {
    // The bits come only with the look at the vCPU's state.
    const plant: Plant = ({ or, load }) => {
      let late: (() => number) | undefined;
      return {
        or(array, index, value) {
          if (index !== REQUESTS || array.length === 1) return or(array, index, value);
          late = () => or(array, index, value);
          return 0;
        },
        load(array, index) {
          const value = load(array, index);
          if (index === STATE) late?.();
          return value;
        },
      };
    };
    await assert.rejects(requests(plant), /in the guest for ever/);
  });

  it("are found out when nobody is signalled", async () => {
    const plant: Plant = ({ load }) => ({ load: (array, index) => (index === STATE ? 0 : load(array, index)) });
    await assert.rejects(requests(plant), /in the guest for ever/);
  });
});
