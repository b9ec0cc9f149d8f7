import assert from "node:assert/strict";
import fc from "fast-check";
import { LineEditor } from "../../../cli/monitor/line-editor.js";

function newEditor() {
  const lines: string[] = [];
  let echoed = "";
  const editor = new LineEditor({ echo: (text) => void (echoed += text), line: (text) => lines.push(text) });
  return {
    editor,
    lines,
    echoed: () => echoed,
    type: (text: string) => {
      editor.input(new TextEncoder().encode(text));
    },
  };
}

describe("LineEditor", () => {
  const cases: readonly [typed: string, lines: readonly string[]][] = [
    ["stop\r", ["stop"]],
    ["stop\n", ["stop"]],
    ["stop\r\ncont\r\n", ["stop", "cont"]],
    ["stpp\x7f\x08op\r", ["stop"]],
    ["\x7f\x7fa\r", ["a"]],
    ["garbage\x15stop\r", ["stop"]],
    ["garbage\x03stop\r", ["stop"]],
    ["one\rtwo\r\x1b[A\x1b[A\r", ["one", "two", "one"]],
    ["one\r\x1b[A\x1b[B\r", ["one", ""]],
    ["\x1b[A\x1b[Ba\r", ["a"]],
    ["a\x1b[1;5Db\r", ["ab"]],
    ["a\x1bxb\r", ["ab"]],
    ["é\r", [""]],
  ];
  for (const [typed, lines] of cases) {
    it(`makes ${JSON.stringify(lines)} of ${JSON.stringify(typed)}`, () => {
      const { lines: actual, type } = newEditor();
      type(typed);
      assert.deepEqual(actual, lines);
    });
  }

  it("echoes what is typed and takes back what is deleted", () => {
    const { echoed, type } = newEditor();
    type("ab\x7f\r");
    assert.equal(echoed(), "ab\b \ba\n".replace("\b \ba", "\b \b\b \ba"));
  });

  it("keeps a line without end within bounds", () => {
    const { editor, type } = newEditor();
    type("x".repeat(100_000));
    assert.equal(editor.text.length, 4096);
  });

  it("echoes printable characters only, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { editor, echoed } = newEditor();
        editor.input(bytes);
        assert.match(echoed(), /^[ -~\n\b]*$/);
      }),
    );
  });
});
