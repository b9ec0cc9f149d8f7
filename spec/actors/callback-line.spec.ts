import assert from "node:assert/strict";
import { CallbackLine } from "../../actors/callback-line.js";
import type { MovableLine } from "../../devices/irq-router.js";
import { SharedArena } from "../../shared/arena.js";

function made(): { readonly line: CallbackLine; readonly other: CallbackLine; readonly seen: string[] } {
  const seen: string[] = [];
  const movable = {
    toGsi: (gsi: number) => seen.push(`to ${gsi}`),
    set: (level: 0 | 1) => seen.push(`level ${level}`),
  } as unknown as MovableLine;
  const buffer = new SharedArrayBuffer(256);
  return {
    line: new CallbackLine(new SharedArena(buffer), movable),
    other: new CallbackLine(new SharedArena(buffer), movable),
    seen,
  };
}

describe("CallbackLine", () => {
  it("is driven by one thread as any other wants it", () => {
    const { line, other, seen } = made();
    other.want(20, 1);
    assert.deepEqual(seen, []);
    line.drive();
    assert.deepEqual(seen, ["to 20", "level 1"]);
  });

  it("is moved only when its interrupt changes", () => {
    const { line, seen } = made();
    line.want(20, 1);
    line.drive();
    line.want(20, 0);
    line.drive();
    line.want(9, 1);
    line.drive();
    assert.deepEqual(seen, ["to 20", "level 1", "level 0", "to 9", "level 1"]);
  });

  it("is low after a reset", () => {
    const { line, seen } = made();
    line.want(20, 1);
    line.reset();
    line.drive();
    assert.deepEqual(seen.slice(-1), ["level 0"]);
  });
});
