import assert from "node:assert/strict";
import fc from "fast-check";
import { parseSelftestOptions } from "../../../cli/selftest/options.js";
import { UsageError } from "../../../cli/usage.js";

describe("parseSelftestOptions()", () => {
  it("has defaults for everything", () => {
    assert.deepEqual(parseSelftestOptions([]), {
      vcpus: 2,
      transport: "auto",
      bits: 64,
      cpu: undefined,
      without: [],
      groups: [],
      timeoutSeconds: 120,
      help: false,
    });
  });

  it("reads every option, with one dash or two", () => {
    const argv = "-smp 4 --transport userspace --group timers --group=disk -timeout=10 -h".split(" ");
    argv.push("--without", "runstate", "-without=evtchn-send", "--cpu", "host,hv-time");
    assert.deepEqual(parseSelftestOptions(argv), {
      vcpus: 4,
      transport: "userspace",
      bits: 64,
      cpu: { model: "host", features: {}, xenVapic: undefined, hyperv: ["time"], hypervSpinlocks: undefined },
      without: ["runstate", "evtchn-send"],
      groups: ["timers", "disk"],
      timeoutSeconds: 10,
      help: true,
    });
  });

  it("takes the 32-bit guest", () => {
    assert.equal(parseSelftestOptions(["--bits", "32"]).bits, 32);
  });

  const errors: readonly [readonly string[], string][] = [
    [["--smp", "0"], "--smp: must be a whole number from 1 to 64, not '0'"],
    [["--smp", "many"], "--smp: must be a whole number from 1 to 64, not 'many'"],
    [["--transport", "kernal"], "--transport: 'kernal' is none of kernel, userspace: did you mean 'kernel'?"],
    [["--without", "evtchn-sent"], "--without: there is no offload 'evtchn-sent': did you mean 'evtchn-send'?"],
    [["--group", "a b"], "--group: 'a b' is not the name of a group"],
    [["--bits", "16"], "--bits: must be 32 or 64, not '16'"],
    [["--bits", "32", "--group", "timer"], "--group: the 32-bit guest has none"],
    [["--trnsport", "kernel"], "selftest: unknown option '--trnsport': did you mean '--transport'?"],
  ];
  for (const [argv, message] of errors) {
    it(`refuses ${argv.join(" ")}`, () => {
      assert.throws(() => parseSelftestOptions(argv), { name: "UsageError", message });
    });
  }

  it("throws nothing but a usage error of one line", () => {
    const word = fc.oneof(fc.constantFrom("--smp", "-smp", "--group", "--help", "4", "--transport=x"), fc.string());
    fc.assert(
      fc.property(fc.array(word), (argv) => {
        try {
          parseSelftestOptions(argv);
        } catch (error) {
          assert.ok(error instanceof UsageError);
        }
      }),
    );
  });
});
