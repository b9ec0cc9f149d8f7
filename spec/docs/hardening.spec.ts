/** docs/hardening.md has a row for each case that a spec names, a spec for each row, and names them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PROJECT } from "../support/project.js";
import { sourceFiles } from "../support/sources.js";
import type { SourceFile } from "../support/sources.js";

interface Generator {
  readonly renderHardening: (page: string, sources: readonly SourceFile[]) => string;
  readonly casesOn: (line: string) => readonly string[];
  readonly isHolder: (path: string) => boolean;
}

const { renderHardening, casesOn, isHolder } = (await import(
  pathToFileURL(join(PROJECT, "scripts", "hardening.mjs")).href
)) as Generator;
const PAGE = readFileSync(join(PROJECT, "docs", "hardening.md"), "utf8");
const ROWS = [...PAGE.matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, row = ""]) => row);
const HOLDERS = sourceFiles().filter(({ path }) => isHolder(path));

describe("docs/hardening.md", () => {
  it("is what scripts/hardening.mjs writes now", () => {
    assert.equal(PAGE, renderHardening(PAGE, HOLDERS), "run: node scripts/hardening.mjs");
  });

  it("would not be, were a spec that holds a case left out", () => {
    assert.notEqual(PAGE, renderHardening(PAGE, HOLDERS.slice(0, -30)));
  });

  it("has each case that a spec names", () => {
    const missing = HOLDERS.flatMap(({ path, lines }) =>
      lines.flatMap((line) => casesOn(line).map((name) => `${name} ${path}`)),
    ).filter((use) => !ROWS.includes(use.replace(/ .*/, "")));
    assert.deepEqual(missing, []);
  });

  it("has no case without a spec", () => {
    assert.deepEqual(PAGE.match(/^\| [A-Z]\d+ \|.*\| {2}\|$/gm), null);
  });

  it("has each case once", () => {
    assert.equal(new Set(ROWS).size, ROWS.length);
  });
});
