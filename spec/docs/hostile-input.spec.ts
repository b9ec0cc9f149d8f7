/** docs/hostile-input.md has a row for each case that a spec names, and each row has a spec. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "../support/project.js";
import { sourceFiles } from "../support/sources.js";

/** In a spec's name: `X8: …`, `… (K10)`, `… (G3, G4)`. */
const NAMED = /(?<=["'`([]|, )([HEGXKPULCV]\d{1,2})(?=[):,;] ?)/g;
const ROW = /^\| ([A-Z]\d+) \|/gm;

const ROWS = [...readFileSync(join(PROJECT, "docs", "hostile-input.md"), "utf8").matchAll(ROW)].map(
  ([, row = ""]) => row,
);
const SPECS = sourceFiles().filter(({ path }) => path.endsWith(".spec.ts") && !path.endsWith("hostile-input.spec.ts"));

describe("docs/hostile-input.md", () => {
  it("has each case that a spec names", () => {
    const missing = SPECS.flatMap(({ path, lines }) =>
      lines.flatMap((line) => [...line.matchAll(NAMED)].map(([, name = ""]) => `${name} ${path}`)),
    ).filter((use) => !ROWS.includes(use.replace(/ .*/, "")));
    assert.deepEqual(missing, []);
  });

  it("has no case without a spec", () => {
    const text = SPECS.map(({ lines }) => lines.join("\n")).join("\n");
    assert.deepEqual(
      ROWS.filter((row) => !new RegExp(`\\b${row}\\b`).test(text)),
      [],
    );
  });

  it("has each case once", () => {
    assert.equal(new Set(ROWS).size, ROWS.length);
  });
});
