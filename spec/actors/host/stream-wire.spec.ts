import assert from "node:assert/strict";
import { closeSync, readSync, writeSync } from "node:fs";
import { StreamWire } from "../../../actors/host/stream-wire.js";
import { frame, GuestPieces, socketPair } from "../../support/frames.js";
import { hostFixture } from "../../support/host-fixture.js";

/** The longest frame there is, and one byte more than a socket's buffer takes of many. */
const LONGEST = 65_553;

describe("StreamWire", () => {
  const guest = new GuestPieces(hostFixture());
  let ours = -1;
  let theirs = -1;
  let wire: StreamWire;

  beforeEach(() => {
    // Each wire keeps scratch memory for as long as its thread lives.
    const fixture = hostFixture();
    [ours, theirs] = socketPair(fixture, 1);
    wire = new StreamWire({ ...guest.host, ...fixture }, ours);
  });

  afterEach(() => {
    closeSync(ours);
    if (theirs >= 0) closeSync(theirs);
  });

  function leave(): void {
    closeSync(theirs);
    theirs = -1;
  }

  function length(bytes: number): Uint8Array {
    return Uint8Array.of(bytes >>> 24, bytes >>> 16, bytes >>> 8, bytes);
  }

  function put(...parts: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(parts);
    assert.equal(writeSync(theirs, bytes), bytes.length);
  }

  /** What the other side can read now. */
  function sent(): Buffer {
    const buffer = Buffer.alloc(1 << 20);
    try {
      return buffer.subarray(0, readSync(theirs, buffer));
    } catch {
      return Buffer.alloc(0);
    }
  }

  it("sends a frame's pieces behind its length, without what is skipped", () => {
    const data = frame(100);
    guest.holding(data, 0x1000);
    wire.send(guest.pieces([0, 12], [0x1000, 60], [0x1000 + 60, 40]), 12);
    assert.deepEqual(sent(), Buffer.concat([length(100), data]));
  });

  for (const bytes of [14, 1514, LONGEST]) {
    it(`sends a frame of ${bytes} bytes`, () => {
      wire.send(guest.holding(frame(bytes)), 0);
      assert.deepEqual(sent(), Buffer.concat([length(bytes), frame(bytes)]));
    });
  }

  for (const bytes of [0, 13, LONGEST + 1, 200_000]) {
    it(`does not send what is no frame: ${bytes} bytes (W4)`, () => {
      wire.send(guest.pieces([0, bytes]), 0);
      assert.deepEqual(sent(), Buffer.alloc(0));
      assert.equal(wire.closed, undefined);
    });
  }

  it("sends a frame in as many pieces as there can be", () => {
    const data = frame(3000);
    guest.holding(data);
    wire.send(guest.pieces(...Array.from({ length: 3000 }, (_, i) => [i, 1] as const)), 0);
    wire.flush();
    wire.flush();
    assert.deepEqual(sent(), Buffer.concat([length(3000), data]));
  });

  it("finishes a frame that had no room, though the guest has its memory back (W3)", () => {
    const data = frame(LONGEST);
    let frames = 0;
    while (!wire.full) {
      wire.send(guest.holding(data), 0);
      frames++;
    }
    guest.ram.bytes.fill(0);
    wire.send(guest.pieces([0, 100]), 0);
    const received: Buffer[] = [];
    for (let part = sent(); part.length > 0; part = sent()) {
      received.push(part);
      wire.flush();
    }
    assert.equal(wire.full, false);
    assert.deepEqual(
      Buffer.concat(received),
      Buffer.concat(Array.from({ length: frames }, () => [length(LONGEST), data]).flat()),
    );
  });

  it("has nothing when nothing has come", () => {
    assert.equal(wire.arriving(), 0);
    put(length(64).subarray(0, 3));
    assert.equal(wire.arriving(), 0);
    put(length(64).subarray(3));
    assert.equal(wire.arriving(), 64);
    assert.equal(wire.arriving(), 64);
    assert.equal(wire.closed, undefined);
  });

  it("receives frames into pieces, one after the other", () => {
    put(length(100), frame(100, 1), length(60), frame(60, 2), length(70));
    assert.equal(wire.arriving(), 100);
    assert.equal(wire.receive(guest.pieces([0, 12], [0x1000, 88], [0x2000, 4096]), 12), true);
    assert.deepEqual(guest.bytes(0x1000, 88), frame(100, 1).slice(0, 88));
    assert.deepEqual(guest.bytes(0x2000, 12), frame(100, 1).slice(88));
    assert.equal(wire.arriving(), 60);
    assert.equal(wire.receive(guest.pieces([0x3000, 60]), 0), true);
    assert.deepEqual(guest.bytes(0x3000, 60), frame(60, 2));
    assert.equal(wire.arriving(), 70);
  });

  it("stores nothing behind a frame", () => {
    guest.ram.bytes.fill(0xee, 0, 4096);
    put(length(14), frame(14));
    assert.equal(wire.arriving(), 14);
    assert.equal(wire.receive(guest.pieces([0, 4096]), 0), true);
    assert.deepEqual(guest.bytes(14, 100), new Uint8Array(100).fill(0xee));
  });

  it("receives a frame that comes byte by byte", () => {
    const whole = Buffer.concat([length(40), frame(40), length(20), frame(20, 2)]);
    const got: Uint8Array[] = [];
    for (const byte of whole) {
      put(Uint8Array.of(byte));
      const bytes = wire.arriving();
      if (bytes > 0 && wire.receive(guest.pieces([0, 4096]), 0)) got.push(guest.bytes(0, bytes));
    }
    assert.deepEqual(got, [frame(40), frame(20, 2)]);
  });

  it("throws away what is wanted by nobody, also the rest of what was begun", () => {
    put(length(5000), frame(5000), length(100), frame(40));
    assert.equal(wire.arriving(), 5000);
    wire.discard();
    assert.equal(wire.arriving(), 100);
    assert.equal(wire.receive(guest.pieces([0, 4096]), 0), false);
    wire.discard();
    assert.equal(wire.arriving(), 0);
    put(frame(60), length(64), frame(64, 3));
    assert.equal(wire.arriving(), 64);
    assert.equal(wire.receive(guest.pieces([0, 64]), 0), true);
    assert.deepEqual(guest.bytes(0, 64), frame(64, 3));
  });

  it("passes over what is no frame: lengths 0 to 13 (W1)", () => {
    for (let bytes = 0; bytes < 14; bytes++) put(length(bytes), frame(bytes));
    put(length(14), frame(14));
    assert.equal(wire.arriving(), 14);
  });

  it("does not go on for ever about what is no frame", () => {
    put(...Array.from({ length: 10_000 }, () => length(0)));
    assert.equal(wire.arriving(), 0);
    assert.equal(wire.closed, undefined);
  });

  for (const bytes of [LONGEST + 1, 0x7fff_ffff, 0xffff_ffff]) {
    it(`hangs up on a frame of ${bytes} bytes (W1)`, () => {
      put(length(bytes));
      assert.equal(wire.arriving(), 0);
      assert.equal(wire.closed, `the other side sent a frame of ${bytes} bytes`);
      assert.equal(wire.arriving(), 0);
    });
  }

  it("gives what came before the other side left, and says then that it has", () => {
    put(length(20), frame(20));
    leave();
    assert.equal(wire.arriving(), 20);
    assert.equal(wire.receive(guest.pieces([0, 20]), 0), true);
    assert.equal(wire.closed, undefined);
    assert.equal(wire.arriving(), 0);
    assert.equal(wire.closed, "the other side closed the connection");
  });

  it("says that the other side left in the middle of a frame (W2)", () => {
    put(length(20), frame(10));
    leave();
    assert.equal(wire.arriving(), 20);
    assert.equal(wire.receive(guest.pieces([0, 20]), 0), false);
    assert.equal(wire.receive(guest.pieces([0, 20]), 0), false);
    assert.equal(wire.closed, "the other side closed the connection");
  });

  it("loses what is sent when the other side has left, without a signal", () => {
    leave();
    wire.send(guest.holding(frame(100)), 0);
    assert.equal(wire.closed, "the other side closed the connection");
    wire.send(guest.holding(frame(100)), 0);
    wire.flush();
    assert.equal(wire.full, false);
  });

  it("starts afresh on another connection", () => {
    put(length(100), frame(50));
    assert.equal(wire.arriving(), 100);
    wire.receive(guest.pieces([0, 100]), 0);
    while (!wire.full) wire.send(guest.holding(frame(LONGEST)), 0);
    leave();
    closeSync(ours);
    // The same descriptor for the new connection, as the lowest that is free.
    [ours, theirs] = socketPair(hostFixture(), 1);
    wire.connected();
    put(length(30), frame(30, 5));
    assert.equal(wire.arriving(), 30);
    assert.equal(wire.receive(guest.pieces([0, 30]), 0), true);
    assert.deepEqual(guest.bytes(0, 30), frame(30, 5));
    wire.send(guest.holding(frame(20)), 0);
    assert.deepEqual(sent(), Buffer.concat([length(20), frame(20)]));
  });
});
