/** A short fuzz of every entrance by coverage, by another seed each time; and what is found by it alone. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { COMPILED } from "../support/project.js";
import { BlockCoverage } from "./block-coverage.js";
import { RecordedDraw } from "./choices.js";
import type { Draw } from "./draw.js";
import { ENTRANCES } from "./entrances.js";
import type { Entrance } from "./entrance.js";
import { fuzz, tryTimed } from "./fuzz.js";
import { GuidedFuzz } from "./guided.js";

const MOST = 20_000;
const SECONDS = 14;

/** Six right choices out of sixteen each, of which every one leads to code of its own: one input in 16 million. */
const planted: Entrance = { name: "planted", tryOne: stairs };

function stairs(draw: Draw): void {
  if (draw.below(16) !== 3) return;
  if (draw.below(16) !== 9) return;
  if (draw.below(16) !== 1) return;
  if (draw.below(16) !== 12) return;
  if (draw.below(16) !== 7) return;
  if (draw.below(16) !== 5) return;
  throw new Error("planted");
}

describe("GuidedFuzz", function () {
  this.timeout(60_000);

  it("finds step by step what no luck does, and what an input drew repeats it", async () => {
    // Before anything has run it: V8 counts blocks of what it compiles from now on.
    const coverage = new BlockCoverage((url) => url === import.meta.url);
    try {
      const guided = new GuidedFuzz(planted, coverage);
      const finding = await guided.run(1, 60_000, MOST);
      assert.match(String(finding?.error), /planted/);
      assert.ok(guided.inputs < MOST);
      assert.match(String(await tryTimed(planted, new RecordedDraw(finding?.choices ?? [], 0))), /planted/);
    } finally {
      coverage.close();
    }
    assert.equal((await fuzz(planted, 1, 60_000, MOST)).finding, undefined);
  });

  it("of every entrance reaches ever more, and finds nothing", async () => {
    const tool = [join(COMPILED, "spec", "fuzz", "main.js"), "--choose", "coverage", "--seconds", String(SECONDS)];
    const { stdout } = await promisify(execFile)(process.execPath, tool);
    for (const { name } of ENTRANCES) {
      const [, inputs, kept] =
        new RegExp(`^${name}, by coverage: (\\d+) inputs, (\\d+) reached`, "m").exec(stdout) ?? [];
      assert.ok(Number(inputs) > 0 && Number(kept) > 0, stdout);
    }
  });
});
