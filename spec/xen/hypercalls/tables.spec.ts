/**
 * The hypercall tables, row by row: (caller, arguments, memory before) and (result, memory after), for 64-bit and 32-bit
 * callers, those with garbage in their registers' upper halves (H6), and both transports. The self-test guest runs the
 * same rows (guests/selftest/tables.c).
 */
import assert from "node:assert/strict";
import { multicall } from "../../../xen/hypercalls/multicall.js";
import { HYPERCALLS } from "../../../xen/hypercalls/table.js";
import { CALLERS, TableCaller } from "./table-caller.js";
import { TABLES, UNKNOWN } from "./tables/all.js";

/** Each row runs in a domain of its own: a guest is reset for it. */
const callers = CALLERS.map((caller) => new TableCaller(caller));

for (const { name, operations } of [...TABLES, UNKNOWN]) {
  describe(`the table of ${name}`, () => {
    for (const operation of operations) {
      describe(operation.name, () => {
        for (const row of operation.rows) {
          it(row.name, () => {
            for (const caller of callers) {
              if (row.mode === undefined || row.mode === caller.mode) caller.run(row);
            }
          });
        }
      });
    }
  });
}

/** Names of what is dispatched, or has rows: "34 hvm_op, 0 HVMOP_set_param". */
type Names = readonly string[];

const DISPATCHED: Names = [...HYPERCALLS, multicall((call) => call.number)].flatMap(({ number, name, operations }) =>
  (operations ?? [{ number: -1, name }]).map((operation) => `${number} ${name}, ${operation.number} ${operation.name}`),
);
const LISTED: Names = TABLES.flatMap(({ hypercall, name, operations }) =>
  operations.map((operation) => `${hypercall} ${name}, ${operation.number} ${operation.name}`),
);

describe("the hypercall tables", () => {
  it("have rows for each hypercall and sub-operation that is dispatched, and for no others", () => {
    const missing = DISPATCHED.filter((name) => !LISTED.includes(name));
    const needless = LISTED.filter((name) => !DISPATCHED.includes(name));
    assert.deepEqual([missing, needless], [[], []], "rows go to spec/xen/hypercalls/tables, a file for each family");
  });

  it("name each row once for an operation", () => {
    for (const { operations } of TABLES) {
      for (const { name, rows } of operations) {
        assert.equal(new Set(rows.map((row) => row.name)).size, rows.length, name);
      }
    }
  });
});
