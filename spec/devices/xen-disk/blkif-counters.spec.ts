import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { FrontEnd } from "./front-end.js";

describe("BlkifCounters", () => {
  it("count what the storage is asked for, and responses that are errors", () => {
    const guest = new FrontEnd().connect();
    const page = [guest.share(70), 0, 7] as const;
    guest.put({ op: 0, segments: [page, page] });
    guest.put({ op: 1, segments: [page] });
    guest.put({ op: 2, segments: [page] });
    guest.put({ op: 3 });
    guest.putDiscard(0n, 8n);
    guest.put({ op: 9 });
    guest.put({ op: 0 });
    guest.kick();
    assert.deepEqual(Object.fromEntries(Object.entries(guest.backend.counters)), {
      reads: 1,
      writes: 2,
      flushes: 3,
      discards: 1,
      errors: 2,
      bytesRead: 8192,
      bytesWritten: 8192,
    });
  });
});
