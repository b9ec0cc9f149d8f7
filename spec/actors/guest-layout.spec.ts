import assert from "node:assert/strict";
import { guestMemory, processorMemory, shadowBytes, xenConfig } from "../../actors/guest-layout.js";
import type { MachineMemory } from "../../actors/machine-memory.js";
import { gpa } from "../../shared/brand.js";
import { resolveConfig } from "../../shared/config.js";
import type { MachineConfig, ResolvedConfig } from "../../shared/config.js";

const PAGE = 4096;
/** Xen's special pages, four of them: shared/layout.ts. */
const SPECIAL = 0xfeff_8000;

function config(changes: Partial<MachineConfig> = {}): ResolvedConfig {
  return resolveConfig({ boot: { kernel: "k" }, memoryBytes: 16 << 20, ...changes });
}

function memory(): MachineMemory {
  return {
    ram: [{ gpa: gpa(0), size: 1 << 20, memory: { buffer: new SharedArrayBuffer(17 << 16), hva: 0 }, start: 1 << 16 }],
    control: { buffer: new SharedArrayBuffer(64 * 1024), hva: 0 },
    layout: { special: 8 * PAGE },
  } as unknown as MachineMemory;
}

describe("guestMemory()", () => {
  it("has RAM and, with Xen, the special pages", () => {
    const parts = memory();
    const xen = guestMemory(parts, config({ accel: { xenVersion: 0x4_000a } }), undefined);
    xen.write(SPECIAL + 3 * PAGE, Uint8Array.of(7));
    assert.equal(new Uint8Array(parts.control.buffer)[11 * PAGE], 7);
    assert.equal(xen.region(SPECIAL + 4 * PAGE, 1), undefined);
    assert.equal(guestMemory(parts, config(), undefined).region(SPECIAL, 1), undefined);
  });
});

describe("With firmware", () => {
  const rom = { memory: { buffer: new SharedArrayBuffer(256 * 1024), hva: 0 }, size: 256 * 1024 };
  new Uint8Array(rom.memory.buffer).fill(0x22);
  const parts = { ...memory(), rom };

  it("guestMemory() has no RAM behind video memory, and RAM above it", () => {
    const ram = guestMemory(parts, config(), undefined);
    assert.deepEqual(
      [0x9_ffff, 0xa_0000, 0xb_ffff, 0xc_0000, 0xf_ffff].map((at) => ram.region(at, 1) !== undefined),
      [true, false, false, true, true],
    );
    ram.write(0xc_0001, Uint8Array.of(7));
    assert.equal(new Uint8Array(parts.ram[0]?.memory.buffer ?? new ArrayBuffer(0))[0xd_0001], 7);
  });

  it("processorMemory() follows the attributes, and shows the ROM below 4 GiB", () => {
    const view = processorMemory(parts, guestMemory(parts, config(), undefined), () => 0);
    assert.deepEqual(
      [0xd_ffff, 0xe_0000, 0xffff_ffff].map((at) => view.region(at, 1)?.bytes[0]),
      [undefined, 0x22, 0x22],
    );
  });

  it("shadowBytes() are the RAM from 0xc0000 on, and the ROM's last 128 KiB", () => {
    const shadow = shadowBytes(parts);
    assert.deepEqual([shadow?.ram.length, shadow?.rom.length], [256 * 1024, 128 * 1024]);
    assert.equal(shadowBytes(memory()), undefined);
  });
});

describe("xenConfig()", () => {
  it("turns the UUID into the handle's bytes, and limits into the domain's", () => {
    const domain = xenConfig(
      config({
        uuid: "550e8400-e29b-41d4-a716-446655440000",
        vcpus: { count: 2 },
        accel: { xenVersion: 0x4_0011, evtchnMaxPirq: 300, gnttabMaxFrames: 9 },
        xenDomid: 5,
      }),
      true,
    );
    assert.deepEqual(Buffer.from(domain.handle).toString("hex"), "550e8400e29b41d4a716446655440000");
    assert.deepEqual(
      [domain.version, domain.vcpus, domain.domid, domain.maxPirqs, domain.maxGrantFrames],
      [0x4_0011, 2, 5, 300, 9],
    );
  });

  it("counts as RAM what the memory map calls RAM, in whole frames: the one below the firmware's area, too", () => {
    // 0 to 0x9fc00, 1 MiB to 3.5 GiB, and what is left from 4 GiB.
    assert.deepEqual(xenConfig(config({ memoryBytes: 4 * 2 ** 30 }), true).ram, [
      { first: 0, count: 0xa0 },
      { first: 0x100, count: 0xe_0000 - 0x100 },
      { first: 0x10_0000, count: 0x2_0000 },
    ]);
  });
});
