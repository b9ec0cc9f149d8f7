import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import fc from "fast-check";
import { SharedArena } from "../../../shared/arena.js";
import { gpa } from "../../../shared/brand.js";
import { ByteRing } from "../../../shared/byte-ring.js";
import { logTo } from "../../../shared/log.js";
import { MemoryRegion } from "../../../shared/memory.js";
import { ConsoleRing } from "../../../devices/xen-console/console-ring.js";

// Offsets from console.h: in[1024] at 0, out[2048] at 1024, then the four indices.
const OUT = 1024;
const IN_CONS = 3072;
const IN_PROD = 3076;
const OUT_CONS = 3080;
const OUT_PROD = 3084;

const PAGE = 4096;

describe("ConsoleRing", () => {
  let region: MemoryRegion;
  let output: ByteRing;
  let input: ByteRing;
  let notified: number;
  let logged: number;
  let ring: ConsoleRing;

  beforeEach(() => {
    const arena = new SharedArena(new SharedArrayBuffer(1 << 17));
    region = new MemoryRegion(gpa(0xfeff_8000), 3 * PAGE, new SharedArrayBuffer(3 * PAGE));
    region.bytes.fill(0xcc, 0, PAGE);
    region.bytes.fill(0xcc, 2 * PAGE);
    output = new ByteRing(arena, 1 << 13);
    input = new ByteRing(arena, 1 << 13);
    create();
  });

  function create(): void {
    notified = 0;
    logged = 0;
    ring = new ConsoleRing({ output, input, log: logTo("console", () => logged++), notify: () => notified++ });
    ring.attach(region, PAGE);
  }

  function get(at: number): number {
    return region.view.getUint32(PAGE + at, true);
  }

  function set(at: number, value: number): void {
    region.view.setUint32(PAGE + at, value >>> 0, true);
  }

  /** The guest writes as much of `text` as fits and notifies. */
  function write(text: string): number {
    let prod = get(OUT_PROD);
    let written = 0;
    while (written < text.length && (prod - get(OUT_CONS)) >>> 0 < 2048) {
      region.bytes[PAGE + OUT + (prod & 2047)] = text.charCodeAt(written++);
      prod = (prod + 1) >>> 0;
    }
    set(OUT_PROD, prod);
    ring.pump();
    return written;
  }

  /** The guest takes all input. */
  function read(): string {
    let text = "";
    let cons = get(IN_CONS);
    for (; cons !== get(IN_PROD); cons = (cons + 1) >>> 0)
      text += String.fromCharCode(region.bytes[PAGE + (cons & 1023)] ?? 0);
    set(IN_CONS, cons);
    ring.pump();
    return text;
  }

  function type(text: string): void {
    for (const char of text) input.push(char.charCodeAt(0));
    ring.pump();
  }

  function printed(): string {
    const bytes = new Uint8Array(8192);
    return Buffer.from(bytes.subarray(0, output.drain(bytes))).toString("latin1");
  }

  it("prints what the guest writes and says that it has room again", () => {
    write("hello\r\n");
    assert.equal(printed(), "hello\r\n");
    assert.equal(get(OUT_CONS), 7);
    assert.equal(notified, 1);
    ring.pump();
    assert.equal(notified, 1);
  });

  it("gives the guest what is typed", () => {
    type("ls\n");
    assert.equal(notified, 1);
    assert.equal(read(), "ls\n");
    assert.equal(get(IN_PROD), 3);
  });

  it("prints what was in the page before it came", () => {
    region.bytes.set(Buffer.from("early"), PAGE + OUT);
    set(OUT_PROD, 5);
    create();
    assert.equal(printed(), "early");
  });

  it("leaves the rest in the ring while the output is full, and goes on when it has drained", () => {
    output = new ByteRing(new SharedArena(new SharedArrayBuffer(4096)), 64);
    create();
    const text = Array.from({ length: 150 }, (_, i) => String.fromCharCode(33 + (i % 90))).join("");
    assert.equal(write(text), 150);
    assert.equal(ring.stalled, true);
    assert.equal(get(OUT_CONS), 64);
    let all = printed();
    ring.pump();
    assert.equal(ring.stalled, true);
    all += printed();
    ring.pump();
    assert.equal(ring.stalled, false);
    assert.equal(all + printed(), text);
    assert.equal(notified, 3);
  });

  it("keeps what is typed until the guest has room", () => {
    const text = "x".repeat(1500);
    type(text);
    assert.equal((get(IN_PROD) - get(IN_CONS)) >>> 0, 1024);
    assert.equal(input.length, 476);
    assert.equal(read().length, 1024);
    assert.equal(read().length, 476);
  });

  it("goes on across the wrap of the indices at 2^32", () => {
    for (const at of [OUT_CONS, OUT_PROD, IN_CONS, IN_PROD]) set(at, 0xffff_fffd);
    write("abcdef");
    type("ghijkl");
    assert.equal(printed(), "abcdef");
    assert.equal(read(), "ghijkl");
    assert.equal(get(OUT_CONS), 3);
    assert.equal(get(IN_PROD), 3);
  });

  it("moves nothing while indices lie, says so once, and recovers when they make sense", () => {
    for (const [at, value] of [
      [OUT_PROD, 2049],
      [OUT_PROD, 0xffff_ffff],
      [OUT_PROD, 0x8000_0000],
    ] as const) {
      set(at, value);
      ring.pump();
    }
    set(OUT_PROD, 0);
    set(IN_CONS, 1);
    type("a");
    assert.equal(get(IN_PROD), 0);
    assert.equal(notified, 0);
    assert.equal(logged, 1);
    set(IN_CONS, 0);
    write("ok");
    assert.equal(printed(), "ok");
    assert.equal(read(), "a");
  });

  it("does nothing without a page", () => {
    ring.detach();
    set(OUT_PROD, 4);
    ring.pump();
    assert.equal(output.length, 0);
    assert.equal(ring.stalled, false);
  });

  it("never throws nor touches more than the page's own rings, whatever the page holds", () => {
    const word = fc.oneof(fc.nat(5000), fc.nat(0xffff_ffff));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(word, word, word, word), { minLength: 1, maxLength: 10 }),
        fc.nat(2000),
        (pages, typed) => {
          for (let i = 0; i < typed; i++) input.push(i);
          for (const [inCons, inProd, outCons, outProd] of pages) {
            set(IN_CONS, inCons);
            set(IN_PROD, inProd);
            set(OUT_CONS, outCons);
            set(OUT_PROD, outProd);
            ring.pump();
            assert.equal(get(IN_CONS), inCons);
            assert.equal(get(OUT_PROD), outProd);
            output.clear();
          }
          assert.ok(region.bytes.subarray(0, PAGE).every((byte) => byte === 0xcc));
          assert.ok(region.bytes.subarray(2 * PAGE).every((byte) => byte === 0xcc));
          input.clear();
        },
      ),
    );
  });

  it("carries any stream in both directions unchanged, in pieces of any size", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ out: fc.nat(3000), in: fc.nat(1500) }), { maxLength: 20 }), (steps) => {
        let sent = "";
        let got = "";
        let typed = "";
        let received = "";
        for (const step of steps) {
          const text = Array.from({ length: step.out }, (_, i) => String.fromCharCode((sent.length + i) % 251)).join(
            "",
          );
          sent += text.slice(0, write(text));
          got += printed();
          const keys = Array.from({ length: step.in }, (_, i) => String.fromCharCode((typed.length + i) % 241)).join(
            "",
          );
          typed += keys;
          type(keys);
          received += read();
        }
        while (received.length < typed.length) received += read();
        ring.pump();
        got += printed();
        assert.ok(got === sent);
        assert.ok(received === typed);
      }),
      { numRuns: 20 },
    );
  });
});
