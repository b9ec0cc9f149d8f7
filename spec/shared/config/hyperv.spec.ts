import assert from "node:assert/strict";
import { resolveConfig } from "../../../shared/config.js";

function refusalOf(hyperv: readonly string[]): string {
  try {
    resolveConfig({ boot: { kernel: "k" }, cpu: { hyperv } });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "accepted";
}

describe("cpu.hyperv", () => {
  const table: readonly (readonly [hyperv: readonly string[], answer: RegExp])[] = [
    [[], /^accepted$/],
    [["relaxed", "vapic", "time"], /^accepted$/],
    [["stimer-direct", "stimer", "synic", "time", "vpindex"], /^accepted$/],
    [["tlbflush"], /^cpu\.hyperv\.0: tlbflush needs vpindex$/],
    [["relaxed", "ipi"], /^cpu\.hyperv\.1: ipi needs vpindex$/],
    [["vpindex", "synic", "stimer"], /^cpu\.hyperv\.2: stimer needs time$/],
    [["evmcs"], /^cpu\.hyperv\.0: must be one of relaxed, /],
  ];
  for (const [hyperv, answer] of table) {
    it(`[${hyperv.join(", ")}]: ${answer.source.replace(/[\^$\\]/g, "")}`, () => {
      assert.match(refusalOf(hyperv), answer);
    });
  }
});
