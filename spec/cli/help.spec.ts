import assert from "node:assert/strict";
import { helpText } from "../../cli/help.js";
import { OPTIONS, spell } from "../../cli/options/table.js";

describe("helpText()", () => {
  it("names every option and every exit code", () => {
    const text = helpText();
    const missing = Object.keys(OPTIONS).filter((name) => !text.includes(spell(name)));
    assert.deepEqual(missing, []);
    assert.match(text, /exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 .*\n {2}4 .*\n/);
  });
});
