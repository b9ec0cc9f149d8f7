/** The PV console's page with any bytes and indices: nothing outside it is touched, and a whole ring gives its bytes on. */
import assert from "node:assert/strict";
import { ConsoleRing } from "../../devices/xen-console/console-ring.js";
import { SharedArena } from "../../shared/arena.js";
import { gpa, PAGE_SIZE } from "../../shared/brand.js";
import { ByteRing } from "../../shared/byte-ring.js";
import { logTo } from "../../shared/log.js";
import { MemoryRegion } from "../../shared/memory.js";
import type { Entrance } from "./entrance.js";

/** console.h, struct xencons_interface: sizes and offsets of the rings, offsets of the indices. */
const IN_SIZE = 1024;
const OUT_SIZE = 2048;
const OUT = 1024;
const [IN_CONS, IN_PROD, OUT_CONS, OUT_PROD] = [3072, 3076, 3080, 3084];
const WORDS = [IN_CONS, IN_PROD, OUT_CONS, OUT_PROD];
/** The page lies between two others. */
const AT = PAGE_SIZE;
const NEIGHBOUR = 0xcc;
/** Host's rings, of which the smaller are soon full. */
const CAPACITIES = [16, 256, 8192];
const TEXT = Buffer.from("login: ");

export const pvConsole: Entrance = {
  name: "console",
  tryOne(draw) {
    const arena = new SharedArena(new SharedArrayBuffer(1 << 16));
    const region = new MemoryRegion(gpa(0xfeff_8000), 3 * PAGE_SIZE, new SharedArrayBuffer(3 * PAGE_SIZE));
    const { bytes, view } = region;
    bytes.fill(NEIGHBOUR, 0, AT);
    bytes.fill(NEIGHBOUR, AT + PAGE_SIZE);
    const output = new ByteRing(arena, draw.of(CAPACITIES));
    const input = new ByteRing(arena, draw.of(CAPACITIES));
    let warnings = 0;
    const log = logTo("console", () => warnings++);
    const ring = new ConsoleRing({ output, input, log, notify: () => undefined });
    const sink = new Uint8Array(64);
    const word = (at: number): number => view.getUint32(AT + at, true);
    const setWord = (at: number, value: number): void => {
      view.setUint32(AT + at, value >>> 0, true);
    };
    ring.attach(region, AT);
    let attached = 1;
    for (let left = 1 + draw.below(60); left > 0; left--) {
      const kind = draw.below(10);
      if (kind === 0) setWord(draw.of(WORDS), draw.word());
      else if (kind === 1) setWord(draw.of([IN_CONS, OUT_PROD]), word(draw.of(WORDS)) + draw.below(2 * OUT_SIZE));
      else if (kind < 4) bytes.set(draw.bytes(200), AT + draw.below(PAGE_SIZE - 200));
      else if (kind < 6) setWord(OUT_PROD, word(OUT_CONS) + draw.below(OUT_SIZE + 1));
      else if (kind === 6) for (const byte of draw.bytes(100)) input.push(byte);
      else if (kind === 7) output.drain(sink);
      else if (kind === 8) setWord(IN_CONS, word(IN_PROD) - draw.below(IN_SIZE + 1));
      else {
        ring.detach();
        ring.attach(region, AT);
        attached++;
      }
      const before = output.length;
      ring.pump();
      assert(output.length - before <= OUT_SIZE, `${output.length - before} bytes from a ring of ${OUT_SIZE}`);
    }
    assert(warnings <= attached, `${warnings} warnings`);
    const outside = [...bytes.subarray(0, AT), ...bytes.subarray(AT + PAGE_SIZE)];
    assert(!outside.some((byte) => byte !== NEIGHBOUR), "a page beside the ring was touched");
    // What waits is nobody's any more, and then all is as it should be.
    output.clear();
    for (const [cons, prod] of [
      [IN_CONS, IN_PROD],
      [OUT_CONS, OUT_PROD],
    ] as const) {
      setWord(prod, word(cons));
    }
    const start = word(OUT_CONS);
    TEXT.forEach((byte, i) => {
      bytes[AT + OUT + ((start + i) & (OUT_SIZE - 1))] = byte;
    });
    setWord(OUT_PROD, start + TEXT.length);
    ring.pump();
    assert.equal(output.drain(sink), TEXT.length, "the ring gives on what is put there");
    assert.deepEqual(Buffer.from(sink.subarray(0, TEXT.length)), TEXT);
  },
};
