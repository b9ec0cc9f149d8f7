/** A short fuzz of every entrance, by another seed each time; the long one is `npm run fuzz`. */
import assert from "node:assert/strict";
import { Draw } from "./draw.js";
import { ENTRANCES } from "./entrances.js";
import { fuzz } from "./fuzz.js";

/** For each entrance. */
const MS = 1500;

describe("Any input", function () {
  this.timeout(60_000);
  const seed = Date.now() % 0x8000_0000;

  for (const entrance of ENTRANCES) {
    it(`by way of ${entrance.name} does what is documented`, async () => {
      const { inputs, finding } = await fuzz(entrance, seed, MS);
      if (finding === undefined) assert(inputs > 0);
      else {
        const repeat = `npm run fuzz -- --entrance ${entrance.name} --seed ${finding.seed} --inputs 1`;
        throw new Error(`${repeat}\n${String(finding.error)}`, { cause: finding.error });
      }
    });
  }
});

describe("fuzz()", () => {
  it("tells the seed of the input that is a finding, which alone is a finding again", async () => {
    const planted = { name: "planted", tryOne };
    function tryOne(draw: Draw): void {
      assert(!draw.oneIn(50), "planted");
    }
    const { finding, inputs } = await fuzz(planted, 1, 60_000);
    assert(finding !== undefined && inputs > 1);
    const again = await fuzz(planted, finding.seed, 0, 1);
    assert.equal(again.finding?.seed, finding.seed);
  });
});

describe("Draw", () => {
  it("draws the same from the same seed", () => {
    const drawn = (seed: number): unknown => {
      const draw = new Draw(seed);
      return [draw.word(), draw.bytes(20), draw.mutated(new Uint8Array(100)), draw.of(["a", "b"])];
    };
    assert.deepEqual(drawn(7), drawn(7));
    assert.notDeepEqual(drawn(7), drawn(8));
  });
});
