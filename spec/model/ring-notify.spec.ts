/**
 * devices/xen-disk/blkif-ring.ts in every interleaving with a front end that does what ring.h says.
 *
 * [RING] xen.git xen/include/public/io/ring.h
 */
import assert from "node:assert/strict";
import { gpa, PAGE_SIZE } from "../../shared/brand.js";
import { MemoryRegion } from "../../shared/memory.js";
import { BLKIF_ABIS } from "../../devices/xen-disk/blkif-abi.js";
import { BlkifRing } from "../../devices/xen-disk/blkif-ring.js";
import type { Explored } from "./explorer.js";
import { explore, take } from "./instruments.js";
import type { Plant } from "./instruments.js";

/** Words of the shared page. [RING] struct __name##_sring */
const REQ_PROD = 0;
const REQ_EVENT = 1;
const RSP_PROD = 2;
const RSP_EVENT = 3;
/** Events that are pending: for the back end and for the front end; and what the front end has had. */
const TO_BACK = 0;
const TO_FRONT = 1;
const REQUESTS = 2;

async function exchangeRequests(plant?: Plant): Promise<Explored> {
  const region = new MemoryRegion(gpa(0), PAGE_SIZE, new SharedArrayBuffer(PAGE_SIZE));
  const { words } = region;
  words[REQ_EVENT] = 1;
  words[RSP_EVENT] = 1;
  const events = new Int32Array(new SharedArrayBuffer(8));

  /** For ever: takes its event, then all requests, and answers each. */
  function back(): void {
    const page = { region, word: 0 };
    const ring = new BlkifRing(BLKIF_ABIS["x86_64-abi"], page, [page]);
    const slot = new Int32Array(28);
    for (;;) {
      take("wait for a request's event", events, TO_BACK);
      do {
        for (let waiting = ring.waiting(); waiting > 0; waiting--) {
          ring.fetch(slot);
          ring.respond({ idLow: 0, idHigh: 0, operation: 0 }, 0);
          if (ring.push()) Atomics.store(events, TO_FRONT, 1);
        }
      } while (ring.armAndCheck());
    }
  }

  /** Sends requests, each by RING_PUSH_REQUESTS_AND_CHECK_NOTIFY. */
  const sender = Array.from({ length: REQUESTS }, (_, sent) => () => {
    Atomics.store(words, REQ_PROD, sent + 1);
    if (Atomics.load(words, REQ_EVENT) === sent + 1) Atomics.store(events, TO_BACK, 1);
  });

  /** Takes responses; sleeps on its event when RING_FINAL_CHECK_FOR_RESPONSES finds none. */
  function receiver(): void {
    for (let had = 0; had < REQUESTS;) {
      had = Atomics.load(words, RSP_PROD);
      if (had === REQUESTS) return;
      Atomics.store(words, RSP_EVENT, had + 1);
      if (Atomics.load(words, RSP_PROD) === had) take("wait for a response's event", events, TO_FRONT);
    }
  }
  return explore(
    {
      threads: { back, sender, receiver },
      check: ({ ended }) => {
        assert.equal(words[RSP_PROD], REQUESTS, "the back end sleeps while requests wait");
        assert.equal(ended[2], true, "the front end sleeps while responses wait");
      },
    },
    plant,
  );
}

describe("A block ring, in every interleaving", () => {
  it("has each request fetched, and each response seen", async () => {
    const { interleavings } = await exchangeRequests();
    assert(interleavings > 1_000_000n, `${interleavings}`);
  });

  it("is found out when the back end asks for its event by a plain store", async () => {
    const plant: Plant = ({ store, plainStore }) => ({
      store: (array, index, value) =>
        array.length > 2 && index === REQ_EVENT ? plainStore(array, index, value) : store(array, index, value),
    });
    await assert.rejects(exchangeRequests(plant), /the back end sleeps while requests wait/);
  });

  it("is found out when responses are shown by a plain store", async () => {
    const plant: Plant = ({ store, plainStore }) => ({
      store: (array, index, value) =>
        array.length > 2 && index === RSP_PROD ? plainStore(array, index, value) : store(array, index, value),
    });
    await assert.rejects(exchangeRequests(plant), /the front end sleeps while responses wait/);
  });
});
