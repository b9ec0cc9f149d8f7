import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import type { EvtchnPort } from "../../../shared/brand.js";
import { BlkifPlane } from "../../../devices/xen-disk/blkif-plane.js";
import { FrontEnd } from "./front-end.js";

const READ = 0;

describe("BlkifPlane", () => {
  let guest: FrontEnd;
  let plane: BlkifPlane;
  let events: string[];
  let notified: number[];

  beforeEach(() => {
    guest = new FrontEnd({ order: 1 });
    events = [];
    notified = [];
    plane = new BlkifPlane({
      grants: guest.grants,
      memory: guest.memory.memory,
      storage: guest.storage,
      events: {
        stopped: (reason) => events.push(`stopped: ${reason}`),
        disconnected: () => events.push("disconnected"),
      },
      notify: (port) => notified.push(port),
      again: () => events.push("again"),
    });
  });

  function read(): void {
    guest.put({ op: READ, segments: [[guest.share(70), 0, 7]] });
    guest.setWord(0, guest.reqProd);
    plane.kick();
  }

  const single = { ringRefs: [1000], abi: "x86_64-abi", persistent: false } as const;

  it("serves a ring and notifies by its port", () => {
    plane.connect({ queues: [guest.connection] });
    read();
    assert.equal(guest.word(2), 1);
    assert.deepEqual(notified, [5]);
    assert.deepEqual(events, []);
  });

  it("serves two queues of one disk, each by its own port", () => {
    const second = { ...single, ringRefs: [1001], port: 9 as EvtchnPort };
    plane.connect({ queues: [{ ...single, port: 8 as EvtchnPort }, second] });
    // The second ring's header is the second page: a flush by hand.
    const view = new DataView(guest.memory.low.buffer, guest.memory.address(guest.pages[1] ?? 0), 4096);
    view.setUint8(64, 3);
    view.setUint32(0, 1, true);
    view.setUint32(12, 1, true);
    plane.kick();
    assert.equal(view.getUint32(8, true), 1);
    assert.deepEqual(notified, [9]);
    assert.equal(plane.backends.length, 2);
  });

  it("answers a disconnect of nothing", () => {
    plane.disconnect();
    assert.deepEqual(events, ["disconnected"]);
  });

  it("answers once the I/O has ended, and only then connects again", () => {
    guest.storage.deferred = true;
    plane.connect({ queues: [guest.connection] });
    read();
    plane.disconnect();
    plane.connect({ queues: [guest.connection] });
    assert.deepEqual(events, []);
    assert.equal(plane.inFlight, 1);
    guest.storage.completeAll();
    assert.deepEqual(events, ["disconnected"]);
    read();
    assert.equal(plane.inFlight, 1);
  });

  it("tells of a ring that cannot be mapped, and ends the others at the disconnect", () => {
    plane.connect({
      queues: [
        { ...single, port: 8 as EvtchnPort },
        { ...single, ringRefs: [7], port: 9 as EvtchnPort },
      ],
    });
    assert.deepEqual(events, ["stopped: grant 7 of the ring cannot be mapped"]);
    plane.disconnect();
    assert.equal(events[1], "disconnected");
    assert.equal(guest.grants.held, 0);
  });

  it("tells of a broken ring", () => {
    plane.connect({ queues: [guest.connection] });
    guest.setWord(0, 500);
    plane.kick();
    plane.kick();
    assert.deepEqual(events, ["stopped: the ring's request index is out of range"]);
  });

  it("begins nothing while paused, but ends what there is", () => {
    plane.connect({ queues: [guest.connection] });
    let rested = 0;
    plane.quiesce(() => rested++);
    assert.equal(rested, 1);
    read();
    assert.equal(guest.word(2), 0);
    plane.disconnect();
    assert.deepEqual(events, ["disconnected"]);
    plane.connect({ queues: [guest.connection] });
    assert.equal(guest.grants.held, 0);
    plane.resume();
    assert.equal(guest.word(2), 1);
  });

  it("lets go while paused also of what it has not begun", () => {
    plane.quiesce(() => undefined);
    plane.connect({ queues: [guest.connection] });
    plane.disconnect();
    assert.deepEqual(events, ["disconnected"]);
    plane.resume();
    assert.equal(guest.grants.held, 0);
    assert.deepEqual(events, ["disconnected"]);
  });

  it("waits at a pause for what every queue has in flight", () => {
    guest.storage.deferred = true;
    plane.connect({ queues: [guest.connection] });
    read();
    let rested = 0;
    plane.quiesce(() => rested++);
    assert.equal(rested, 0);
    guest.storage.completeAll();
    assert.equal(rested, 1);
    assert.equal(guest.word(2), 1);
  });

  it("keeps batches whole, also for a queue that comes up within one", () => {
    guest.storage.deferred = true;
    plane.beginBatch();
    plane.connect({ queues: [guest.connection] });
    read();
    read();
    guest.storage.completeAll();
    assert.deepEqual([guest.word(2), notified], [0, []]);
    plane.endBatch();
    assert.deepEqual([guest.word(2), notified], [2, [5]]);
    read();
    guest.storage.completeAll();
    assert.equal(guest.word(2), 3);
  });

  it("forgets everything at reset", () => {
    guest.storage.deferred = true;
    plane.connect({ queues: [guest.connection] });
    read();
    plane.disconnect();
    plane.connect({ queues: [guest.connection] });
    plane.reset();
    guest.grants.mapped.clear();
    guest.storage.completeAll();
    assert.deepEqual(events, []);
    assert.equal(guest.grants.held, 0);
    assert.equal(plane.inFlight, 0);
    plane.connect({ queues: [guest.connection] });
    assert.equal(plane.inFlight, 1);
  });
});
