/** A short fuzz by a guest of ours on KVM, from another seed each time; the long one is `npm run fuzz`. */
import assert from "node:assert/strict";
import { requireKvm } from "../support/require-kvm.js";
import { fuzz } from "./fuzz.js";
import { GUEST_ENTRANCES } from "./guest.js";

/** For each entrance; one input takes a second or two. */
const MS = 2500;

describe("A guest that throws inputs at its machine", function () {
  this.timeout(300_000);
  const seed = Date.now() % 0x8000_0000;

  before(function () {
    requireKvm(this, "fuzz.elf");
  });

  for (const entrance of GUEST_ENTRANCES) {
    it(`by ${entrance.name} gets what is documented, and a machine that works after a reset`, async () => {
      const { inputs, finding } = await fuzz(entrance, seed, MS);
      await entrance.close();
      if (finding === undefined) assert(inputs > 0);
      else {
        const repeat = `npm run fuzz -- --entrance ${entrance.name} --seed ${finding.seed} --inputs 1`;
        throw new Error(`${repeat}\n${String(finding.error)}`, { cause: finding.error });
      }
    });
  }
});
