/** Hypercalls that need no more than a row: name, number, arguments, answer. */
import assert from "node:assert/strict";
import { Guest } from "../guest.js";

export type Row = readonly [name: string, number: number, args: readonly number[], result: number];

/** One test for each row, in a guest of its own. */
export function check(rows: readonly Row[]): void {
  for (const [name, number, args, result] of rows) {
    it(name, () => {
      assert.equal(new Guest().call(number, ...args), result);
    });
  }
}
