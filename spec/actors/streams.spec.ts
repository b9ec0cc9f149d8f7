import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Stream } from "../../actors/streams.js";
import { SharedArena } from "../../shared/arena.js";
import { ByteRing } from "../../shared/byte-ring.js";
import { hostFixture } from "../support/host-fixture.js";
import { temporaryFolder } from "../support/temporary.js";

/** What may be under way to the embedding program. */
const WINDOW = 64 * 1024;

class Fixture {
  readonly output: ByteRing;
  readonly input: ByteRing;
  readonly posted: Uint8Array[] = [];
  readonly stream: Stream;
  drained = 0;
  arrived = 0;

  constructor(capacity = 16 * 1024) {
    const arena = new SharedArena(new SharedArrayBuffer(256 * 1024));
    this.output = new ByteRing(arena, capacity);
    this.input = new ByteRing(arena, 16);
    this.stream = new Stream(
      {
        name: "serial0",
        output: this.output,
        input: this.input,
        drained: () => {
          this.drained++;
        },
        arrived: () => {
          this.arrived++;
        },
      },
      (_, bytes) => this.posted.push(bytes),
    );
  }

  get sent(): number {
    return this.posted.reduce((sum, { length }) => sum + length, 0);
  }

  /** The guest writes `count` bytes, as far as the ring takes them. */
  write(count: number): number {
    let written = 0;
    while (written < count && this.output.push(written & 0xff)) written++;
    return written;
  }
}

describe("Stream", () => {
  const folder = temporaryFolder();

  it("posts what the guest wrote and tells the device that there is room", () => {
    const fixture = new Fixture();
    fixture.write(300);
    fixture.stream.pump();
    assert.deepEqual(Buffer.concat(fixture.posted), Buffer.from(Array.from({ length: 300 }, (_, i) => i & 0xff)));
    assert.equal(fixture.drained, 1);
    fixture.stream.pump();
    assert.equal(fixture.drained, 1);
  });

  it("lets at most a window of bytes be under way, then the guest waits, and nothing is lost", () => {
    const fixture = new Fixture();
    let written = 0;
    for (let i = 0; i < 20; i++) {
      written += fixture.write(16 * 1024);
      fixture.stream.pump();
    }
    assert.equal(fixture.sent, WINDOW);
    // The ring is full, and up to one transfer of 4 KiB is held here.
    assert.equal(fixture.output.free, 0);
    assert.equal(written, WINDOW + 16 * 1024 + 4096);
    fixture.stream.acknowledge(1000);
    assert.equal(fixture.sent, WINDOW + 1000);
    fixture.stream.acknowledge(WINDOW);
    assert.equal(fixture.sent, written);
  });

  it("is idle only when all has been taken", () => {
    const fixture = new Fixture();
    assert.equal(fixture.stream.idle, true);
    fixture.write(10);
    assert.equal(fixture.stream.idle, false);
    fixture.stream.pump();
    assert.equal(fixture.stream.idle, false);
    fixture.stream.acknowledge(10);
    assert.equal(fixture.stream.idle, true);
  });

  it("takes as much input as fits and says how much that was", () => {
    const fixture = new Fixture();
    assert.equal(fixture.stream.input(new Uint8Array(20)), 16);
    assert.equal(fixture.stream.input(new Uint8Array(4)), 0);
    assert.equal(fixture.arrived, 1);
    fixture.input.shift();
    assert.equal(fixture.stream.input(new Uint8Array(4)), 1);
  });

  it("swallows input where no guest can read it", () => {
    const arena = new SharedArena(new SharedArrayBuffer(4096));
    const quiet = { drained: () => undefined, arrived: () => undefined };
    const stream = new Stream(
      { name: "xen-log", output: new ByteRing(arena, 64), input: undefined, ...quiet },
      () => undefined,
    );
    assert.equal(stream.input(new Uint8Array(100)), 100);
  });

  it("goes to a file of the host's when told so", () => {
    const fixture = new Fixture();
    const path = folder.path("serial.log");
    assert.equal(fixture.stream.open(hostFixture(), { kind: "file", path, append: false }).place, path);
    fixture.output.push(0x48);
    fixture.output.push(0x69);
    fixture.stream.pump();
    assert.equal(readFileSync(path, "utf8"), "Hi");
    assert.deepEqual([fixture.sent, fixture.stream.idle], [0, true]);
    fixture.stream.close();
  });
});
