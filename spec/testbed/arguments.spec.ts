import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { parseTestbedArguments, quote } from "./arguments.js";
import { TestbedError } from "./errors.js";

describe("parseTestbedArguments()", () => {
  it("takes a single argument as a shell command line", () => {
    const { action, cpus, memoryMiB, guestKernels } = parseTestbedArguments(["ls | wc -l"]);
    assert.deepEqual(action, { kind: "run", command: "ls | wc -l" });
    assert.deepEqual([cpus, memoryMiB, guestKernels], [2, 4096, []]);
  });

  it("takes several arguments as a program and what it is to get", () => {
    const { action } = parseTestbedArguments(["echo", "it's", "a b", "--shell"]);
    assert.deepEqual(action, { kind: "run", command: "echo 'it'\\''s' 'a b' --shell" });
  });

  it("takes options before the command only", () => {
    const parsed = parseTestbedArguments([
      "--cpus",
      "4",
      "--memory=2048",
      "--timeout",
      "3",
      "--share",
      "out",
      "node",
      "-v",
    ]);
    assert.deepEqual(parsed.action, { kind: "run", command: "node -v" });
    assert.deepEqual([parsed.cpus, parsed.memoryMiB, parsed.timeoutMs, parsed.share], [4, 2048, 3000, "out"]);
  });

  it("takes everything after -- as the command", () => {
    assert.deepEqual(parseTestbedArguments(["--", "--help"]).action, { kind: "run", command: "--help" });
  });

  it("knows the suites of guest kernels", () => {
    const { guestKernels } = parseTestbedArguments([
      "--build",
      "--guest-kernel",
      "bookworm",
      "--guest-kernel",
      "trixie",
    ]);
    assert.deepEqual(guestKernels, ["bookworm", "trixie"]);
    assert.throws(() => parseTestbedArguments(["--build", "--guest-kernel", "warty"]), /the suites are/);
  });

  it("knows what else it can do", () => {
    assert.equal(parseTestbedArguments(["--shell"]).action.kind, "shell");
    assert.equal(parseTestbedArguments(["--build"]).action.kind, "build");
    assert.equal(parseTestbedArguments(["--help"]).action.kind, "help");
  });

  it("refuses what makes no sense", () => {
    for (const argv of [[], ["--no-such"], ["--cpus", "0", "ls"], ["--memory", "much", "ls"], ["--timeout"]]) {
      assert.throws(() => parseTestbedArguments(argv), TestbedError);
    }
  });
});

describe("quote()", () => {
  it("makes one word of any text, for a shell", () => {
    const texts = fc.array(
      fc.string().map((text) => text.replaceAll("\0", "")),
      { minLength: 1, maxLength: 50 },
    );
    fc.assert(
      fc.property(texts, (words) => {
        const printed = execFileSync("sh", ["-c", `printf '%s\\0' ${words.map(quote).join(" ")}`]).toString();
        assert.deepEqual(printed.split("\0").slice(0, -1), words);
      }),
      { seed: 1, numRuns: 20 },
    );
  });
});
