/** Every reference tag in a comment, such as [PIIX3], stands in references.md, and nothing stands there that no file uses. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./support/project.js";
import { commentOn, sourceFiles } from "./support/sources.js";

/** Capitals and digits in brackets, after a space or an opening parenthesis: an index into an array follows its name. */
const TAG = /(?<=^|[\s(;,*"/])\[((?=[0-9_-]*[A-Z]|\d{4,5}\])[A-Z0-9][A-Z0-9_-]+)\](?!\])/g;
const ROW = /^\| \[([^\]]+)\] \|/;

/** Each tag with the first place that uses it. */
function usedTags(): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const { path, lines } of sourceFiles()) {
    lines.forEach((line, index) => {
      for (const [, tag = ""] of commentOn(line).matchAll(TAG)) {
        if (!tags.has(tag)) tags.set(tag, `${path}:${index + 1}`);
      }
    });
  }
  return tags;
}

function listedTags(): readonly string[] {
  const lines = readFileSync(join(PROJECT, "spec", "references.md"), "utf8").split("\n");
  return lines.flatMap((line) => ROW.exec(line)?.[1] ?? []);
}

describe("references.md", () => {
  it("lists every tag that a source file uses", () => {
    const listed = new Set(listedTags());
    const missing = [...usedTags()].filter(([tag]) => !listed.has(tag)).map(([tag, place]) => `[${tag}] ${place}`);
    assert.deepEqual(missing, []);
  });

  it("lists no tag that no source file uses", () => {
    const used = usedTags();
    assert.deepEqual(
      listedTags().filter((tag) => !used.has(tag)),
      [],
    );
  });

  it("lists each tag once, in order", () => {
    const tags = listedTags();
    assert.deepEqual(tags, [...new Set(tags)].sort());
  });

  it("is checked by an expression that tells tags from indices", () => {
    const found = (line: string): readonly string[] => [...commentOn(line).matchAll(TAG)].map(([, tag = ""]) => tag);
    assert.deepEqual(found(" * [XS_WIRE] xs_wire.h; [16550] 8.6.3, see [XSA-122]"), ["XS_WIRE", "16550", "XSA-122"]);
    assert.deepEqual(found("  words[STATE] = 1; // [PIIX4] 7.2"), ["PIIX4"]);
    assert.deepEqual(found("  run[DIRECTION] = page[4095];"), []);
    assert.deepEqual(found("  const at = table[WORDS]; /* bits [7:0] of [12] */"), []);
  });
});
