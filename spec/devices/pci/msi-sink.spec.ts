/** [MSI_PIRQ] Linux arch/x86/pci/xen.c: the message that it composes for a PIRQ */
import assert from "node:assert/strict";
import { pirqOfMessage } from "../../../devices/pci/msi-sink.js";

const ROWS: readonly (readonly [what: string, low: number, high: number, data: number, pirq: number])[] = [
  ["an interrupt by vector", 0xfee0_1000, 0, 0x4031, 0],
  ["PIRQ 55", 0xfee3_7000, 0, 0x0000, 55],
  ["PIRQ 255, edge and assert set", 0xfeef_f00c, 0, 0x4000, 255],
  ["PIRQ 0x123: the high half holds all but the low byte", 0xfee2_3000, 0x100, 0, 0x123],
  ["all ones in the address", 0xffff_ffff, 0xffff_ffff, 0x100, 0xffff_ffff],
  ["an entry that nobody has written", 0, 0, 0, 0],
];

describe("pirqOfMessage", () => {
  for (const [what, low, high, data, pirq] of ROWS) {
    it(`gives ${pirq} for ${what}`, () => {
      assert.equal(pirqOfMessage(low, high, data), pirq);
      assert.equal(pirqOfMessage(low | 0, high | 0, data), pirq, "as signed words");
    });
  }
});
