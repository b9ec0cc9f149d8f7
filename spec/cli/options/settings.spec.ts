import assert from "node:assert/strict";
import fc from "fast-check";
import { Settings, parseFlag, parseInteger, parseSize, splitItems } from "../../../cli/options/settings.js";
import { UsageError } from "../../../cli/usage.js";

describe("splitItems()", () => {
  const cases: readonly [string, readonly [string, string | undefined][]][] = [
    ["", []],
    ["2", [["cpus", "2"]]],
    [
      "2,cores=2",
      [
        ["cpus", "2"],
        ["cores", "2"],
      ],
    ],
    ["cpus=2", [["cpus", "2"]]],
    ["cpus=2,", [["cpus", "2"]]],
    ["a=b=c", [["a", "b=c"]]],
    [
      "file=a,,b,id=c",
      [
        ["file", "a,b"],
        ["id", "c"],
      ],
    ],
    [
      "a,,b,c",
      [
        ["cpus", "a,b"],
        ["c", undefined],
      ],
    ],
    ["a=x,,", [["a", "x,"]]],
    [
      "a=,b=",
      [
        ["a", ""],
        ["b", ""],
      ],
    ],
  ];
  for (const [text, items] of cases) {
    it(`reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual(
        splitItems(text, "cpus"),
        items.map(([key, value]) => ({ key, value })),
      );
    });
  }

  it("gives back any value whose commas are doubled", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        assert.deepEqual(splitItems(`file=${value.replaceAll(",", ",,")},id=x`), [
          { key: "file", value },
          { key: "id", value: "x" },
        ]);
      }),
    );
  });
});

describe("Settings", () => {
  const syntax = {
    implied: "path",
    known: ["path", "server", "wait", "mode", "count"],
    aliases: { "old-mode": "mode" },
  };

  it("reads a switch without value as on, and one with no before it as off", () => {
    const settings = Settings.parse("--serial", "/run/s,server,nowait", syntax);
    assert.deepEqual([settings.text("path"), settings.flag("server"), settings.flag("wait")], ["/run/s", true, false]);
  });

  it("takes the later of two values", () => {
    assert.equal(Settings.parse("--x", "mode=a,mode=b", syntax).text("mode"), "b");
  });

  it("knows other spellings", () => {
    assert.equal(Settings.parse("--x", "old-mode=a", syntax).text("mode"), "a");
  });

  it("does not take an object's own members for spellings", () => {
    assert.throws(() => Settings.parse("--x", "constructor=a,__proto__=b", syntax), UsageError);
  });

  const errors: readonly [string, (settings: Settings) => unknown, string][] = [
    ["srver=on", () => undefined, "--x: unknown setting 'srver': did you mean 'server'?"],
    ["count=1.5", (settings) => settings.integer("count"), "--x count: must be a whole number, not '1.5'"],
    ["server=maybe", (settings) => settings.flag("server"), "--x server: must be on or off, not 'maybe'"],
    ["server", (settings) => settings.required("path"), "--x: needs path="],
    [
      "mode=reed",
      (settings) => settings.choice("mode", ["read", "write"]),
      "--x mode: 'reed' is none of read, write: did you mean 'read'?",
    ],
  ];
  for (const [text, read, message] of errors) {
    it(`says ${JSON.stringify(message)}`, () => {
      assert.throws(() => read(new Settings("--x", splitItems(text), syntax)), { name: "UsageError", message });
    });
  }
});

describe("parseSize()", () => {
  const cases: readonly [string, number | undefined][] = [
    ["512", 536_870_912],
    ["512M", 536_870_912],
    ["512m", 536_870_912],
    ["1G", 1_073_741_824],
    ["4096k", 4_194_304],
    ["1048576b", 1_048_576],
    ["0x200", 536_870_912],
    ["0", 0],
    ["-1", undefined],
    ["128.5M", undefined],
    ["1e9T", undefined],
    ["9999999999E", undefined],
    ["abc", undefined],
    ["512MB", undefined],
    ["", undefined],
    ["M", undefined],
  ];
  for (const [text, bytes] of cases) {
    it(`reads ${JSON.stringify(text)} as ${String(bytes)}`, () => {
      assert.equal(parseSize(text, 1_048_576), bytes);
    });
  }
});

describe("parseInteger()", () => {
  it("reads decimal and hexadecimal, and nothing else", () => {
    assert.deepEqual(
      ["0", "262154", "0x4000a", "0X4000A", "-1", "1e3", " 1", "0x", "9007199254740993", "0b1", ""].map(parseInteger),
      [0, 262_154, 0x4000a, 0x4000a, undefined, undefined, undefined, undefined, undefined, undefined, undefined],
    );
  });
});

describe("parseFlag()", () => {
  it("knows the words for on and off", () => {
    assert.deepEqual(["on", "yes", "true", "y", "off", "no", "false", "n", "ON", "1", ""].map(parseFlag), [
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
