import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import fc from "fast-check";
import { BLKIF_ABIS } from "../../../devices/xen-disk/blkif-abi.js";
import type { BlkifAbiName } from "../../../devices/xen-disk/blkif-abi.js";
import { BlkifRing } from "../../../devices/xen-disk/blkif-ring.js";
import type { RingPage } from "../../../devices/xen-disk/ring-pages.js";
import { TestMemory } from "./front-end.js";

const REQ_PROD = 0;
const REQ_EVENT = 1;
const RSP_PROD = 2;
const RSP_EVENT = 3;

describe("BlkifRing", () => {
  let memory: TestMemory;

  beforeEach(() => {
    memory = new TestMemory();
  });

  function page(frame: number): RingPage {
    memory.page(frame).fill(0);
    return { region: frame < 192 ? memory.low : memory.high, word: (frame % 192) * 1024 };
  }

  function onePage(abi: BlkifAbiName = "x86_64-abi"): BlkifRing {
    const first = page(10);
    return new BlkifRing(BLKIF_ABIS[abi], first, [first]);
  }

  function word(index: number): number {
    return memory.low.view.getUint32(10 * 4096 + index * 4, true);
  }

  function setWord(index: number, value: number): void {
    memory.low.view.setUint32(10 * 4096 + index * 4, value >>> 0, true);
  }

  function answer(ring: BlkifRing): void {
    ring.fetch(new Int32Array(28));
    ring.respond({ idLow: 1, idHigh: 2, operation: 0 }, 0);
  }

  it("counts waiting requests", () => {
    const ring = onePage();
    assert.equal(ring.waiting(), 0);
    setWord(REQ_PROD, 32);
    assert.equal(ring.waiting(), 32);
    ring.fetch(new Int32Array(28));
    assert.equal(ring.waiting(), 31);
  });

  it("refuses a producer more than the ring ahead of the responses (K1)", () => {
    const ring = onePage();
    for (const prod of [33, 1000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      setWord(REQ_PROD, prod);
      assert.equal(ring.waiting(), -1, `${prod}`);
    }
  });

  it("refuses a producer that goes back behind what was fetched", () => {
    const ring = onePage();
    setWord(REQ_PROD, 3);
    ring.fetch(new Int32Array(28));
    ring.fetch(new Int32Array(28));
    setWord(REQ_PROD, 1);
    assert.equal(ring.waiting(), -1);
  });

  it("starts at the responses that the ring already had, across the wrap at 2^32", () => {
    page(10);
    setWord(REQ_PROD, 0x1_0000_0002);
    setWord(RSP_PROD, 0xffff_fffe);
    const first = { region: memory.low, word: 10 * 1024 };
    const ring = new BlkifRing(BLKIF_ABIS["x86_64-abi"], first, [first]);
    assert.equal(ring.waiting(), 4);
    for (let i = 0; i < 4; i++) answer(ring);
    ring.push();
    assert.equal(ring.waiting(), 0);
    assert.equal(word(RSP_PROD), 2);
    assert.equal(ring.armAndCheck(), false);
    assert.equal(word(REQ_EVENT), 3);
  });

  it("notifies only when rsp_event lies among the new responses", () => {
    const ring = onePage();
    setWord(REQ_PROD, 8);
    setWord(RSP_EVENT, 3);
    answer(ring);
    answer(ring);
    assert.equal(ring.push(), false);
    answer(ring);
    assert.equal(ring.push(), true);
    answer(ring);
    assert.equal(ring.push(), false);
    assert.equal(ring.push(), false);
    assert.equal(word(RSP_PROD), 4);
  });

  it("writes hostile event words off as a wrong guess at notification (K20)", () => {
    const ring = onePage();
    setWord(REQ_PROD, 4);
    for (const event of [0, 0xffff_ffff, 0x8000_0000, 100]) {
      setWord(RSP_EVENT, event);
      setWord(REQ_EVENT, event);
      answer(ring);
      assert.equal(ring.push(), false);
    }
    assert.equal(word(RSP_PROD), 4);
  });

  it("asks for an event at the next request, and sees one that came in between", () => {
    const ring = onePage();
    assert.equal(ring.armAndCheck(), false);
    assert.equal(word(REQ_EVENT), 1);
    setWord(REQ_PROD, 1);
    assert.equal(ring.armAndCheck(), true);
  });

  it("hides responses until they are pushed, and echoes id, operation and status", () => {
    const ring = onePage();
    setWord(REQ_PROD, 1);
    ring.fetch(new Int32Array(28));
    ring.respond({ idLow: 0xdead_beef, idHigh: 0x8123_4567, operation: 6 }, -2);
    assert.equal(word(RSP_PROD), 0);
    ring.push();
    assert.equal(word(RSP_PROD), 1);
    const slot = memory.page(10).subarray(64, 64 + 12);
    assert.equal(Buffer.from(slot).toString("hex"), "efbeadde" + "67452381" + "06" + "00" + "feff");
  });

  // 64 + 36 * 112 is a page exactly, so the first border of x86_64 falls between two slots.
  for (const [abi, straddlers] of [
    ["x86_64-abi", [72, 109]],
    ["x86_32-abi", [37, 75, 113]],
  ] as const) {
    it(`copies each slot of a multi-page ring whole, also across scattered pages (${abi})`, () => {
      const frames = [40, 7, 300, 90];
      const pages = frames.map((frame) => page(frame));
      const size = BLKIF_ABIS[abi].slotSize;
      const all = new Uint8Array(4 * 4096);
      for (let i = 64; i < all.length; i++) all[i] = (i * 7 + (i >>> 8)) & 0xff;
      frames.forEach((frame, i) => {
        memory.page(frame).set(all.subarray(i * 4096, (i + 1) * 4096));
      });
      const first = pages[0];
      assert.ok(first !== undefined);
      const ring = new BlkifRing(BLKIF_ABIS[abi], first, pages);
      assert.equal(ring.size, 128);
      const slot = new Int32Array(size / 4);
      const straddling: number[] = [];
      for (let i = 0; i < ring.size; i++) {
        const at = 64 + i * size;
        if (Math.floor(at / 4096) !== Math.floor((at + size - 1) / 4096)) straddling.push(i);
        ring.fetch(slot);
        assert.deepEqual(new Uint8Array(slot.buffer), all.slice(at, at + size), `slot ${i}`);
      }
      assert.deepEqual(straddling, straddlers);
    });
  }

  it("keeps to the model of ring.h for any run of requests, responses and index values", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("produce" as const), count: fc.nat(40) }),
      fc.record({ kind: fc.constant("fetch" as const), count: fc.nat(40) }),
      fc.record({ kind: fc.constant("respond" as const), count: fc.nat(40) }),
    );
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.array(step, { maxLength: 40 }), (start, steps) => {
        page(10);
        setWord(REQ_PROD, start);
        setWord(RSP_PROD, start);
        const first = { region: memory.low, word: 10 * 1024 };
        const ring = new BlkifRing(BLKIF_ABIS["x86_64-abi"], first, [first]);
        let produced = 0;
        let fetched = 0;
        let responded = 0;
        for (const { kind, count } of steps) {
          for (let i = 0; i < count; i++) {
            if (kind === "produce" && produced - responded < 32) setWord(REQ_PROD, start + ++produced);
            if (kind === "fetch" && fetched < produced) {
              ring.fetch(new Int32Array(28));
              fetched++;
            }
            if (kind === "respond" && responded < fetched) {
              ring.respond({ idLow: 0, idHigh: 0, operation: 0 }, 0);
              responded++;
            }
          }
          ring.push();
          assert.equal(ring.waiting(), produced - fetched);
          assert.equal(word(RSP_PROD), (start + responded) >>> 0);
        }
      }),
    );
  });
});
