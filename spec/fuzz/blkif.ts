/** A PV disk's ring with any bytes and indices: no memory is touched that was not granted, and everything comes back. */
import assert from "node:assert/strict";
import { FrontEnd } from "../devices/xen-disk/front-end.js";
import type { Entrance } from "./entrance.js";

/** A two-page ring: requests start behind 64 bytes of indices. */
const RING_START = 64;
const RING_END = 8192;
/** Frames that are granted by references 0 to 15, every third read-only: every other one from here. */
const FIRST = 64;
const REFS = 16;
const MOST_IN_FLIGHT = 64;

export const blkif: Entrance = {
  name: "blkif",
  tryOne(draw) {
    const guest = new FrontEnd({
      abi: draw.of(["x86_64-abi", "x86_32-abi"] as const),
      order: 1,
      persistent: draw.oneIn(2),
      backend: { maxPersistentGrants: 4 },
    });
    guest.storage.deferred = draw.oneIn(2);
    for (let ref = 0; ref < REFS; ref++) guest.grants.grant(ref, guest.memory.address(FIRST + 2 * ref), ref % 3 === 0);
    const before = Array.from({ length: guest.memory.frameCount }, (_, frame) => guest.memory.page(frame).slice());
    guest.connect();
    for (let left = 1 + draw.below(40); left > 0; left--) {
      const kind = draw.below(6);
      if (kind < 2) {
        const at = RING_START + draw.below(RING_END - RING_START);
        for (const [i, byte] of draw.bytes(200).entries()) {
          if (at + i < RING_END) guest.set(at + i, 1, draw.oneIn(4) ? byte : byte % 8);
        }
      } else if (kind === 2) guest.setWord(0, guest.word(0) + draw.below(70));
      else if (kind === 3) guest.setWord(draw.below(4), draw.word());
      else if (kind === 4) guest.storage.completeAt(draw.below(40));
      else {
        guest.backend.disconnect(() => undefined);
        guest.storage.completeAll();
        guest.setWord(0, guest.word(2));
        guest.backend.connect(guest.connection);
      }
      guest.backend.kick();
      assert(guest.backend.inFlight <= MOST_IN_FLIGHT, `${guest.backend.inFlight} requests in flight`);
    }
    guest.backend.disconnect(() => undefined);
    guest.storage.completeAll();
    assert.deepEqual([guest.backend.inFlight, guest.grants.held], [0, 0], "all has come back");
    for (const [frame, bytes] of before.entries()) {
      const ref = (frame - FIRST) / 2;
      const writable = Number.isInteger(ref) && ref >= 0 && ref < REFS && ref % 3 !== 0;
      if (writable || guest.pages.includes(frame)) continue;
      assert(Buffer.compare(bytes, guest.memory.page(frame)) === 0, `frame ${frame} was touched`);
    }
  },
};
