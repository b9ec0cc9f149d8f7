import assert from "node:assert/strict";
import { HYPERCALL_PORT, writeHypercallPage } from "../../xen/hypercall-page.js";

describe("writeHypercallPage()", () => {
  const page = new Uint8Array(4096);
  writeHypercallPage(page, "out");

  it("has a stub of mov $number,%eax; out %eax,$port; ret every 32 bytes", () => {
    const stub = [...page.subarray(32 * 32, 32 * 32 + 9)];
    assert.deepEqual(stub, [0xb8, 32, 0, 0, 0, 0xe7, HYPERCALL_PORT, 0xc3, 0xcc]);
    assert.equal(page[127 * 32 + 1], 127);
  });

  it("has an undefined instruction for iret, number 23", () => {
    assert.deepEqual([...page.subarray(23 * 32, 23 * 32 + 3)], [0x0f, 0x0b, 0xcc]);
  });

  for (const [call, opcode] of [
    ["vmcall", 0xc1],
    ["vmmcall", 0xd9],
  ] as const) {
    it(`has stubs of ${call} for KVM's own Xen support`, () => {
      const own = new Uint8Array(4096);
      writeHypercallPage(own, call);
      assert.deepEqual([...own.subarray(17 * 32, 17 * 32 + 10)], [0xb8, 17, 0, 0, 0, 0x0f, 0x01, opcode, 0xc3, 0xcc]);
    });
  }
});
