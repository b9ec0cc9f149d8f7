import assert from "node:assert/strict";
import { imageError, imageOf, loadImage, readImage, readStart } from "../../../devices/boot/image.js";
import type { ImageSource } from "../../../devices/boot/image.js";
import { gpa } from "../../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../../shared/memory.js";
import { refusal } from "./fixtures.js";

/** A file whose length the system tells wrong, as when somebody truncates it meanwhile. */
function shrinking(bytes: Uint8Array, claimed: number): ImageSource {
  return { ...imageOf("shrinking", bytes), size: claimed };
}

/** A file that gives at most three bytes at a time. */
function dripping(bytes: Uint8Array): ImageSource {
  const whole = imageOf("dripping", bytes);
  return { ...whole, read: (offset, target) => whole.read(offset, target.subarray(0, 3)) };
}

const TEN = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

describe("readImage()", () => {
  it("puts short reads together", () => {
    assert.deepEqual([...readImage(dripping(TEN), 1, 8, "x")], [2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("refuses a part behind the end of the file", () => {
    const pattern = /truncated: its table would end at byte 12, the file at 10/;
    assert.throws(() => readImage(imageOf("ten", TEN), 4, 8, "its table"), refusal("ten", pattern));
  });

  it("refuses a file that shrinks while it is read (L7)", () => {
    assert.throws(() => readImage(shrinking(TEN, 100), 0, 100, "x"), refusal("shrinking", /ended at byte 10 while/));
  });
});

describe("readStart()", () => {
  it("is content with a short file", () => {
    assert.equal(readStart(imageOf("ten", TEN), 8192).length, 10);
  });
});

describe("loadImage()", () => {
  it("reads across adjacent regions of guest RAM", () => {
    const regions = [0, 4096].map((at) => new MemoryRegion(gpa(at), 4096, new SharedArrayBuffer(4096)));
    loadImage(dripping(TEN), new GuestMemory(regions), { offset: 0, length: 10, to: 4092, what: "x" });
    const both = regions.map(({ bytes }) => bytes);
    assert.deepEqual([...(both[0]?.subarray(4092) ?? [])], [1, 2, 3, 4]);
    assert.deepEqual([...(both[1]?.subarray(0, 7) ?? [])], [5, 6, 7, 8, 9, 10, 0]);
  });
});

describe("imageError()", () => {
  it("stays on one line whatever the name", () => {
    assert.equal(imageError(imageOf("a\nb\x1b[1m", TEN), "no").message, "Cannot boot a?b?[1m: no");
  });
});
