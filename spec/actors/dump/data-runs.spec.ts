import assert from "node:assert/strict";
import fc from "fast-check";
import { dataRuns } from "../../../actors/dump/data-runs.js";

const PAGE = 4096;

/** Pages of which those that are true have one byte set, at the place given in the page. */
function pages(filled: readonly boolean[], at = 0): Int32Array {
  const bytes = new Uint8Array(filled.length * PAGE);
  filled.forEach((full, i) => {
    if (full) bytes[i * PAGE + at] = 0x80;
  });
  return new Int32Array(bytes.buffer);
}

describe("dataRuns()", () => {
  it("finds runs of pages that hold anything", () => {
    assert.deepEqual(dataRuns(pages([])), []);
    assert.deepEqual(dataRuns(pages([false, false])), []);
    assert.deepEqual(dataRuns(pages([true, true])), [{ offset: 0, length: 2 * PAGE }]);
    assert.deepEqual(dataRuns(pages([false, true, true, false, false, true])), [
      { offset: PAGE, length: 2 * PAGE },
      { offset: 5 * PAGE, length: PAGE },
    ]);
  });

  it("sees the first and the last byte of a page", () => {
    for (const at of [0, PAGE - 1]) assert.equal(dataRuns(pages([false, true], at)).length, 1);
  });

  it("covers each page that holds anything, and no other", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 20 }), fc.nat(PAGE - 1), (filled, at) => {
        const covered = filled.map(() => false);
        for (const { offset, length } of dataRuns(pages(filled, at))) {
          covered.fill(true, offset / PAGE, (offset + length) / PAGE);
        }
        assert.deepEqual(covered, filled);
      }),
    );
  });
});
