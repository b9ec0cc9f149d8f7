import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { FrontEnd } from "./front-end.js";
import type { Segment } from "./front-end.js";

const READ = 0;
const WRITE = 1;
const BARRIER = 2;
const FLUSH = 3;
const OKAY = 0;
const ERROR = -1;
const EOPNOTSUPP = -2;
const EIO = 5;
const ENOSPC = 28;
const HOST_EOPNOTSUPP = 95;

function statuses(guest: FrontEnd): number[] {
  return guest.responses().map(({ status }) => status);
}

/** A front end whose storage completes when told. */
function deferred(options: ConstructorParameters<typeof FrontEnd>[0] = {}): FrontEnd {
  const guest = new FrontEnd(options).connect();
  guest.storage.deferred = true;
  return guest;
}

function page(guest: FrontEnd, frame = 70): Segment[] {
  return [[guest.share(frame), 0, 7]];
}

describe("BlkifBackend.connect()", () => {
  it("serves what waits in the ring already", () => {
    const guest = new FrontEnd();
    guest.put({ op: READ, id: 9n, segments: page(guest) });
    guest.setWord(0, guest.reqProd);
    guest.connect();
    assert.deepEqual(guest.responses(), [{ id: 9n, operation: READ, status: OKAY }]);
    assert.equal(guest.notifications, 1);
  });

  it("refuses rings of bad, read-only or foreign pages and keeps none of them mapped (K13)", () => {
    const guest = new FrontEnd({ order: 1 });
    guest.grants.grant(50, guest.memory.address(50), true);
    guest.grants.grant(51, 0xfee0_0000);
    for (const ref of [49, 50, 51, 0xffff_ffff]) {
      assert.match(guest.backend.connect({ ...guest.connection, ringRefs: [1000, ref] }) ?? "", /cannot be mapped/);
      assert.equal(guest.grants.held, 0);
    }
    assert.match(guest.backend.connect({ ...guest.connection, ringRefs: [] }) ?? "", /no page/);
    guest.connect();
  });

  it("refuses a ring whose indices make no sense", () => {
    const guest = new FrontEnd();
    guest.setWord(0, 33);
    assert.match(guest.backend.connect(guest.connection) ?? "", /indices/);
    assert.equal(guest.grants.held, 0);
  });

  it("refuses a second ring", () => {
    const guest = new FrontEnd().connect();
    assert.match(guest.backend.connect(guest.connection) ?? "", /already/);
  });

  it("lives with a ring that has one page twice (K13)", () => {
    const guest = new FrontEnd({ order: 1 });
    assert.equal(guest.backend.connect({ ...guest.connection, ringRefs: [1000, 1000] }), undefined);
    for (let i = 0; i < 64; i++) guest.put({ op: READ, segments: page(guest) });
    guest.backend.kick();
    guest.backend.disconnect(() => undefined);
    assert.equal(guest.grants.held, 0);
  });
});

describe("BlkifBackend", () => {
  it("completes out of order, each response with its own id", () => {
    const guest = deferred();
    for (const id of [1n, 2n, 3n]) guest.put({ op: READ, id, segments: page(guest) });
    assert.deepEqual(guest.kick(), []);
    assert.equal(guest.backend.inFlight, 3);
    guest.storage.completeAt(2);
    guest.storage.completeAt(0);
    guest.storage.completeAt(0);
    assert.deepEqual(
      guest.responses().map(({ id }) => id),
      [3n, 1n, 2n],
    );
    assert.equal(guest.grants.held, 1);
  });

  it("stops at a lying producer index, says so once, and answers nothing more (K1)", () => {
    const guest = deferred();
    guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    guest.setWord(0, 1000);
    guest.backend.kick();
    guest.backend.kick();
    assert.equal(guest.stopped.length, 1);
    guest.storage.completeAll();
    assert.deepEqual(guest.responses(), []);
    assert.equal(guest.grants.held, 1);
    guest.setWord(0, 1);
    guest.backend.kick();
    guest.backend.resume();
    assert.equal(guest.storage.log.length, 1);
    let done = 0;
    guest.backend.disconnect(() => done++);
    assert.equal(done, 1);
    assert.equal(guest.grants.held, 0);
  });

  it("connects again after a stop and a disconnect", () => {
    const guest = new FrontEnd().connect();
    guest.setWord(0, 1000);
    guest.backend.kick();
    guest.backend.disconnect(() => undefined);
    guest.setWord(0, 0);
    guest.connect();
    assert.equal(guest.run({ op: READ, segments: page(guest) }), OKAY);
  });

  it("uses the request as it was when fetched, whatever the guest writes afterwards (K8)", () => {
    const guest = deferred();
    guest.put({ op: READ, id: 5n, sector: 4n, segments: page(guest, 70) });
    guest.kick();
    guest.set(guest.slot(0), 112, 0n);
    guest.set(guest.slot(0) + 1, 1, 255);
    guest.set(guest.slot(0) + 16, 8, 0xffff_ffffn);
    guest.storage.completeAll();
    assert.deepEqual(guest.responses(), [{ id: 5n, operation: READ, status: OKAY }]);
    assert.deepEqual(guest.memory.page(70).slice(0, 512), guest.storage.image.slice(4 * 512, 5 * 512));
    assert.equal(guest.grants.held, 1);
  });

  it("keeps a page mapped while the storage has it, also when the grant is revoked (K16)", () => {
    const guest = deferred();
    guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    guest.grants.entries.delete(70);
    assert.equal(guest.grants.held, 2);
    guest.storage.completeAll();
    assert.deepEqual(statuses(guest), [OKAY]);
    assert.equal(guest.grants.held, 1);
    assert.equal(guest.run({ op: READ, segments: [[70, 0, 7]] }), ERROR);
  });

  it("turns the host's errors into statuses (K17)", () => {
    const guest = new FrontEnd().connect();
    for (const [errno, status] of [
      [EIO, ERROR],
      [ENOSPC, ERROR],
      [HOST_EOPNOTSUPP, EOPNOTSUPP],
    ] as const) {
      guest.storage.error = errno;
      assert.equal(guest.run({ op: WRITE, segments: page(guest) }), status);
      assert.equal(guest.run({ op: FLUSH, segments: page(guest) }), status);
    }
    assert.equal(guest.backend.counters.errors, 6);
  });

  it("notifies once for a batch, and not where the guest did not ask (rsp_event)", () => {
    const guest = new FrontEnd().connect();
    for (let i = 0; i < 20; i++) guest.put({ op: READ, segments: page(guest) });
    assert.equal(guest.kick().length, 20);
    assert.equal(guest.notifications, 1);
    guest.setWord(3, 1000);
    guest.put({ op: READ, segments: page(guest) });
    assert.equal(guest.kick().length, 1);
    assert.equal(guest.notifications, 1);
  });

  it("pushes completions of one batch together", () => {
    const guest = deferred();
    for (let i = 0; i < 4; i++) guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    guest.backend.beginBatch();
    guest.storage.completeAll();
    assert.equal(guest.word(2), 0);
    guest.backend.endBatch();
    assert.equal(guest.word(2), 4);
    assert.equal(guest.notifications, 1);
  });

  it("goes on when responses are never consumed (K19)", () => {
    const guest = new FrontEnd().connect();
    for (let i = 0; i < 1000; i++) {
      guest.put({ op: READ, segments: page(guest) });
      guest.setWord(0, guest.reqProd);
      guest.backend.kick();
    }
    assert.equal(guest.word(2), 1000);
    assert.deepEqual(guest.stopped, []);
    assert.equal(guest.grants.held, 1);
  });

  it("gives others a turn when the guest refills the ring for ever", () => {
    const guest = new FrontEnd().connect();
    const { storage } = guest;
    const submit = storage.submit.bind(storage);
    let count = 0;
    storage.submit = (request) => {
      count++;
      guest.put({ op: READ, segments: page(guest) });
      submit(request);
      guest.setWord(0, guest.reqProd);
    };
    guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    assert.equal(guest.again, 1);
    assert.ok(count <= 128, `${count} requests in one kick`);
  });
});

describe("BlkifBackend's flush and barrier (K18)", () => {
  it("flushes, then writes the data", () => {
    const guest = new FrontEnd().connect();
    assert.equal(guest.run({ op: FLUSH, sector: 2n, segments: page(guest) }), OKAY);
    assert.equal(guest.run({ op: FLUSH }), OKAY);
    assert.deepEqual(guest.storage.log, ["flush", "write 1024+4096", "flush"]);
    assert.deepEqual(guest.storage.image.slice(1024, 5120), guest.memory.page(70).slice());
  });

  it("does not write when the flush fails", () => {
    const guest = new FrontEnd().connect();
    guest.storage.error = EIO;
    assert.equal(guest.run({ op: BARRIER, segments: page(guest) }), ERROR);
    assert.deepEqual(guest.storage.log, ["flush"]);
  });

  it("puts a barrier after everything before it and before everything after it", () => {
    const guest = deferred();
    guest.put({ op: WRITE, id: 1n, segments: page(guest) });
    guest.put({ op: WRITE, id: 2n, sector: 8n, segments: page(guest) });
    guest.put({ op: BARRIER, id: 3n, sector: 16n, segments: page(guest) });
    guest.put({ op: WRITE, id: 4n, sector: 24n, segments: page(guest) });
    guest.kick();
    assert.deepEqual(guest.storage.log, ["write 0+4096", "write 4096+4096"]);
    guest.storage.completeAll();
    const finished = ["write 0+4096", "write 4096+4096", "flush", "write 8192+4096", "flush", "write 12288+4096"];
    assert.deepEqual(guest.storage.log, finished);
    assert.deepEqual(
      guest.responses().map(({ id, operation }) => [id, operation]),
      [
        [1n, WRITE],
        [2n, WRITE],
        [3n, BARRIER],
        [4n, WRITE],
      ],
    );
  });

  it("takes barriers without data, many in a row, synchronously", () => {
    const guest = new FrontEnd().connect();
    for (let i = 0; i < 32; i++) guest.put({ op: BARRIER });
    assert.equal(guest.kick().length, 32);
    assert.equal(guest.storage.log.length, 32);
  });

  it("finishes a waiting barrier when it is quiesced", () => {
    const guest = deferred();
    guest.put({ op: WRITE, segments: page(guest) });
    guest.put({ op: BARRIER });
    guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    let done = 0;
    guest.backend.quiesce(() => done++);
    guest.storage.completeAll();
    assert.equal(done, 1);
    assert.deepEqual(statuses(guest), [OKAY, OKAY]);
    guest.backend.resume();
    guest.storage.completeAll();
    assert.deepEqual(statuses(guest), [OKAY]);
  });
});

describe("BlkifBackend's rest", () => {
  it("quiesces when nothing is in flight, fetches nothing meanwhile, and resumes", () => {
    const guest = deferred();
    guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    let done = 0;
    guest.backend.quiesce(() => done++);
    guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    assert.equal(guest.storage.log.length, 1);
    assert.equal(done, 0);
    guest.storage.completeAll();
    assert.equal(done, 1);
    guest.backend.quiesce(() => done++);
    assert.equal(done, 2);
    guest.backend.resume();
    guest.storage.completeAll();
    assert.equal(guest.word(2), 2);
  });

  it("waits at disconnect for what is in flight, then unmaps everything (K15)", () => {
    const guest = deferred({ persistent: true });
    guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    let done = 0;
    guest.backend.disconnect(() => done++);
    guest.backend.resume();
    assert.equal(done, 0);
    assert.equal(guest.grants.held, 2);
    guest.storage.completeAll();
    assert.equal(done, 1);
    assert.equal(guest.grants.held, 0);
    assert.equal(guest.backend.connected, false);
    guest.backend.disconnect(() => done++);
    assert.equal(done, 2);
  });

  it("survives 1000 connects and closes with I/O in flight (K15)", () => {
    const guest = new FrontEnd({ persistent: true });
    guest.storage.deferred = true;
    for (let i = 0; i < 1000; i++) {
      guest.connect();
      guest.put({ op: i % 3, segments: page(guest, 64 + (i % 100)) });
      guest.setWord(0, guest.reqProd);
      guest.backend.kick();
      guest.backend.disconnect(() => undefined);
      if (i % 2 === 0) assert.match(guest.backend.connect(guest.connection) ?? "", /already/);
      guest.storage.completeAll();
      assert.equal(guest.grants.held, 0);
    }
    assert.equal(guest.backend.inFlight, 0);
    assert.equal(guest.word(2), 1000);
  });

  it("forgets everything at reset; late completions touch nothing", () => {
    const guest = deferred({ persistent: true });
    guest.put({ op: WRITE, segments: page(guest) });
    guest.put({ op: BARRIER });
    guest.kick();
    guest.backend.reset();
    guest.grants.mapped.clear();
    assert.equal(guest.backend.inFlight, 0);
    guest.storage.completeAll();
    assert.equal(guest.word(2), 0);
    guest.setWord(0, 0);
    guest.reqProd = 0;
    guest.storage.deferred = false;
    guest.connect();
    assert.equal(guest.run({ op: READ, segments: page(guest) }), OKAY);
    assert.equal(guest.grants.held, 2);
  });

  it("throws at a storage that completes a request twice", () => {
    const guest = deferred();
    guest.put({ op: READ, segments: page(guest) });
    guest.kick();
    const [request] = guest.storage.pending;
    request?.complete(0);
    assert.throws(() => request?.complete(0), /twice/);
  });
});

describe("BlkifBackend's persistent grants", () => {
  it("map each page once and keep it", () => {
    const guest = new FrontEnd({ persistent: true }).connect();
    for (let i = 0; i < 100; i++) {
      assert.equal(guest.run({ op: i % 2, segments: page(guest, 70 + (i % 5)) }), OKAY);
    }
    assert.equal(guest.backend.persistentGrants, 5);
    assert.equal(guest.grants.maps, 1 + 5);
  });

  it("include pages of indirect descriptors", () => {
    const guest = new FrontEnd({ persistent: true }).connect();
    for (let i = 0; i < 3; i++) {
      guest.putIndirect({ op: READ, page: 80, segments: page(guest) });
      guest.kick();
    }
    assert.equal(guest.grants.maps, 1 + 2);
  });

  it("stay within the limit (K12)", () => {
    const guest = new FrontEnd({ persistent: true, backend: { maxPersistentGrants: 7 } }).connect();
    for (let i = 0; i < 200; i++) {
      assert.equal(guest.run({ op: READ, segments: page(guest, 64 + (i % 100)) }), OKAY);
      assert.ok(guest.grants.held <= 1 + 7);
    }
    assert.equal(guest.backend.persistentGrants, 7);
  });

  it("are not kept for a front end that does not offer them", () => {
    const guest = new FrontEnd().connect();
    guest.run({ op: READ, segments: page(guest) });
    assert.equal(guest.grants.held, 1);
  });
});
