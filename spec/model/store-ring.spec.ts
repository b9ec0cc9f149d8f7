/**
 * xen/xenstore/guest-ring.ts in every interleaving with a guest that sends a request as Linux does: in pieces, with an
 * event only for one that finds the ring empty.
 *
 * [RING] xen.git docs/misc/xenstore-ring.txt
 */
import assert from "node:assert/strict";
import { domId, PAGE_SIZE } from "../../shared/brand.js";
import { logTo } from "../../shared/log.js";
import { GuestStoreRing } from "../../xen/xenstore/guest-ring.js";
import { XenStore } from "../../xen/xenstore/store.js";
import { encodeMessage, HEADER_SIZE, XsType } from "../../xen/xenstore/wire.js";
import type { Explored } from "./explorer.js";
import { explore, take } from "./instruments.js";
import type { Plant } from "./instruments.js";

/** Words of the page, counted from its beginning. [RING] */
const REQ_CONS = 512;
const REQ_PROD = 513;
const RSP_PROD = 515;
const TO_STORE = 0;

const PATH = "data\0";
const VALUE = "value";
const REQUEST = encodeMessage({ type: XsType.write, reqId: 0, txId: 0, payload: Buffer.from(PATH + VALUE) });
/** Lengths. */
const PIECES = [HEADER_SIZE, PATH.length, VALUE.length];

async function sendRequest(plant?: Plant): Promise<Explored> {
  const page = new Uint8Array(new SharedArrayBuffer(PAGE_SIZE));
  const words = new Int32Array(page.buffer);
  const events = new Int32Array(new SharedArrayBuffer(4));
  // Bytes are there before the index that shows them.
  page.set(REQUEST);

  /** The device actor, for ever. */
  function store(): void {
    const ring = new GuestStoreRing(page, new XenStore(), domId(1), {
      log: logTo("xenstore", () => undefined),
      notify: () => undefined,
    });
    for (;;) {
      take("wait for the guest's event", events, TO_STORE);
      while (ring.process());
    }
  }

  /** Linux's xb_write(): the event is for who has taken all that was there before. */
  function guest(): void {
    let producer = 0;
    for (const length of PIECES) {
      const before = producer;
      producer += length;
      Atomics.store(words, REQ_PROD, producer);
      if (before <= Atomics.load(words, REQ_CONS)) Atomics.store(events, TO_STORE, 1);
    }
  }
  return explore(
    {
      threads: { store, guest },
      check: () => {
        assert.equal(words[REQ_CONS], REQUEST.length, "the store sleeps while a request waits");
        assert.notEqual(words[RSP_PROD], 0, "there is no reply");
      },
    },
    plant,
  );
}

describe("The store's ring, in every interleaving", () => {
  it("has a request served, however the guest's pieces come", async () => {
    const { interleavings } = await sendRequest();
    assert(interleavings > 1000n, `${interleavings}`);
  });

  it("is found out when what was taken is shown by a plain store", async () => {
    const plant: Plant = ({ store, plainStore }) => ({
      store: (array, index, value) =>
        array.length === 7 && index === 0 ? plainStore(array, index, value) : store(array, index, value),
    });
    await assert.rejects(sendRequest(plant), /the store sleeps while a request waits/);
  });
});
