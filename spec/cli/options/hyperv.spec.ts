import assert from "node:assert/strict";
import { hypervFeatures } from "../../../cli/options/hyperv.js";
import { splitItems } from "../../../cli/options/settings.js";
import { UsageError } from "../../../cli/usage.js";

function parse(text: string): ReturnType<typeof hypervFeatures>["hyperv"] {
  return hypervFeatures(splitItems(text)).hyperv;
}

describe("hypervFeatures()", () => {
  const table: readonly (readonly [text: string, hyperv: readonly string[], spinlocks: number | undefined])[] = [
    ["hv-relaxed,hv-vapic,hv-time", ["relaxed", "vapic", "time"], undefined],
    ["hv_relaxed,+hv-stimer-direct,hv_vpindex=on", ["relaxed", "stimer-direct", "vpindex"], undefined],
    ["hv-relaxed,hv-time,-hv-relaxed,hv_time=off", [], undefined],
    ["hv-spinlocks=0x1fff", [], 0x1fff],
    ["-hv-evmcs,hv-passthrough=off", [], undefined],
    ["avx,xen-vapic", [], undefined],
  ];
  for (const [text, hyperv, hypervSpinlocks] of table) {
    it(text, () => {
      assert.deepEqual(parse(text), { hyperv, hypervSpinlocks });
    });
  }

  it("leaves the other features alone", () => {
    const { others } = hypervFeatures(splitItems("+avx,hv-time,xen-vapic=on"));
    assert.deepEqual(others, [
      { key: "+avx", value: undefined },
      { key: "xen-vapic", value: "on" },
    ]);
  });

  const errors: readonly (readonly [text: string, message: string])[] = [
    ["hv-relaxd", "--cpu hv-relaxd: there is no such enlightenment of Hyper-V's: did you mean 'relaxed'?"],
    ["+hv-evmcs", "--cpu +hv-evmcs: there is no such enlightenment of Hyper-V's"],
    ["hv-time=maybe", "--cpu hv-time: must be on or off, not 'maybe'"],
    ["hv-spinlocks=many", "--cpu hv-spinlocks: must be a whole number, not 'many'"],
  ];
  for (const [text, message] of errors) {
    it(`refuses ${text}`, () => {
      assert.throws(
        () => parse(text),
        (error) => {
          assert.ok(error instanceof UsageError);
          assert.equal(error.message, message);
          return true;
        },
      );
    });
  }
});
