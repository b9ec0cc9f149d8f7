import assert from "node:assert/strict";
import { xenConfig } from "../../actors/guest-layout.js";
import { resolveConfig } from "../../shared/config.js";

const MIB = 1024 * 1024;

describe("xenConfig()", () => {
  it("counts RAM in whole frames, the one below the firmware's data area among them", () => {
    const { ram } = xenConfig(
      resolveConfig({ memoryBytes: 4096 * MIB, accel: { xenVersion: 0x4_000a }, boot: { kernel: "vmlinuz" } }),
    );
    // [E820] 0 to 0x9fc00, 1 MiB to 3.5 GiB, and what is left from 4 GiB.
    assert.deepEqual(ram, [
      { first: 0, count: 0xa0 },
      { first: 0x100, count: 0xe_0000 - 0x100 },
      { first: 0x10_0000, count: 0x2_0000 },
    ]);
  });
});
