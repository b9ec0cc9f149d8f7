/** [SDM] Intel SDM volume 3, 10.1.4. That it resets is seen in endings.kvm.spec.ts. */
import assert from "node:assert/strict";
import { LOW_RESET_VECTOR, RESET_CODE, fillResetPage } from "../../../devices/boot/reset-vector.js";
import { loadKernel } from "../../../devices/boot/load.js";
import { SmallMachine, makePvhKernel } from "./fixtures.js";

describe("the reset vector of a machine without firmware", () => {
  it("has code in the last 16 bytes below 4 GiB, and nothing else in its page", () => {
    const page = new Uint8Array(4096).fill(0xff);
    fillResetPage(page);
    assert(RESET_CODE.length <= 16);
    assert.deepEqual(page.subarray(0xff0, 0xff0 + RESET_CODE.length), RESET_CODE);
    assert(page.every((byte, at) => (at >= 0xff0 && at < 0xff0 + RESET_CODE.length) || byte === 0));
  });

  it("has the same at FFFF:0000", () => {
    const machine = new SmallMachine();
    loadKernel(machine.config({ kernel: makePvhKernel() }));
    const bytes = new Uint8Array(RESET_CODE.length);
    machine.memory.read(LOW_RESET_VECTOR, bytes);
    assert.deepEqual(bytes, RESET_CODE);
  });
});
