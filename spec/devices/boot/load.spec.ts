import assert from "node:assert/strict";
import fc from "fast-check";
import { loadKernel } from "../../../devices/boot/load.js";
import { VmmError } from "../../../shared/errors.js";
import {
  SmallMachine,
  makeBzImage,
  makeElf,
  makeFlatKernel,
  makeMultibootHeader,
  makePvhKernel,
  refusal,
} from "./fixtures.js";

const content = new Uint8Array(0x200).fill(0x90);
content.set(makeMultibootHeader({ flags: 3 }), 0x20);
const KERNELS = [
  makeBzImage({ codeLength: 0x200 }),
  makeElf({ wide: false, content }),
  makePvhKernel(),
  makePvhKernel(undefined, { wide: false }),
  makeFlatKernel(),
] as const;

/** Whether loading ends well: in a state, or in one clear line; and touches nothing but guest RAM. */
function survives(machine: SmallMachine, kernel: Uint8Array, initrd: Uint8Array): boolean {
  try {
    loadKernel(machine.config({ kernel, initrd }, { initrd: "initrd", cmdline: "console=ttyS0" }));
  } catch (error) {
    if (!(error instanceof VmmError) || error.code !== "CONFIG" || error.message.includes("\n")) throw error;
  }
  return machine.intact;
}

describe("loadKernel()", () => {
  const unknown: readonly [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(0), /it is empty/],
    ["one byte", new Uint8Array(1), /it is not a bzImage/],
    ["text", new TextEncoder().encode("#!/bin/sh\n".repeat(100)), /it is not a bzImage, an ELF file with a PVH note/],
    ["a gzip file", Uint8Array.from([0x1f, 0x8b, 8, 0]), /gzip file; unpack it first/],
    ["an ELF file without an entry for us", makeElf(), /neither a PVH note nor a multiboot header/],
  ];
  for (const [what, kernel, pattern] of unknown) {
    it(`refuses ${what}`, () => {
      assert.throws(() => loadKernel(new SmallMachine().config({ kernel })), refusal("kernel", pattern));
    });
  }

  it("gives the same machine again after the guest has written all over RAM", () => {
    const options = {
      acpi: {
        apicIds: [0, 1],
        serialPorts: [0],
        keyboard: true,
        mouse: true,
        vga: true,
        pmBase: 0xb000,
        pciWindowStart: 0xe000_0000,
      },
    };
    const machine = new SmallMachine();
    const config = machine.config({ kernel: makeBzImage() }, options);
    const first = loadKernel(config);
    const before = machine.bytes(0x9000, 0x9000).concat(machine.bytes(0xe_0000, 0x2_0000));
    machine.ram.bytes.fill(0x5a, 0x9000, 0x1_2000).fill(0x5a, 0xe_0000, 0x10_0000);
    assert.deepEqual(loadKernel(config), first);
    assert.deepEqual(machine.bytes(first.registers.rsi, 4096), before.slice(0, 4096));
    assert.deepEqual(machine.bytes(0xe_0000, 0x2_0000), before.slice(0x9000));
  });

  it("leaves what kernels look for in the BIOS's segment: the MP table's pointer and SMBIOS's entry point", () => {
    const smbios = {
      ...{ xenVersion: 0x4_0011, uuid: new Uint8Array(16), sockets: 1, coresPerSocket: 1, threadsPerCore: 1 },
      ...{ lowRamBytes: 1 << 24, highRamBytes: 0 },
    };
    const machine = new SmallMachine();
    loadKernel(machine.config({ kernel: makeBzImage() }, { smbios }));
    const found = new Map<string, number>();
    for (let at = 0xf_0000; at < 0x10_0000; at += 16) {
      const mark = String.fromCharCode(...machine.bytes(at, 4));
      if (mark === "_MP_" || mark === "_SM_") found.set(mark, at);
    }
    assert.deepEqual([...found.keys()], ["_MP_", "_SM_"]);
    const tables = machine.u32((found.get("_SM_") ?? 0) + 24);
    // Type 0, 24 bytes long, comes first.
    assert.deepEqual(machine.bytes(tables, 2), [0, 24]);
  });

  it("refuses a command line with a zero byte in it", () => {
    const config = new SmallMachine().config({ kernel: makeBzImage() }, { cmdline: "a\0b" });
    assert.throws(() => loadKernel(config), { code: "CONFIG" });
  });

  it("survives any truncation of any kernel", () => {
    const machine = new SmallMachine(2 * 1024 * 1024);
    fc.assert(
      fc.property(fc.constantFrom(...KERNELS), fc.double({ min: 0, max: 1, noNaN: true }), (kernel, part) =>
        survives(machine, kernel.subarray(0, Math.floor(part * kernel.length)), new Uint8Array(100)),
      ),
    );
  });

  it("survives any mutation of any kernel's headers", () => {
    const machine = new SmallMachine(2 * 1024 * 1024);
    const at = fc.oneof(
      fc.nat(0x5ff),
      fc.nat(0x80),
      fc.integer({ min: 0x1000, max: 0x1200 }),
      fc.integer({ min: 0x1f1, max: 0x268 }),
    );
    const value = fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(0xff));
    const mutations = fc.array(fc.tuple(at, value, fc.integer({ min: 1, max: 8 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...KERNELS), mutations, fc.nat(0x10_0000), (kernel, changes, initrdSize) => {
        const mutant = kernel.slice();
        changes.forEach(([offset, byte, length]) => mutant.fill(byte, offset, offset + length));
        return survives(machine, mutant, new Uint8Array(initrdSize));
      }),
      { numRuns: 300 },
    );
  });

  it("survives random bytes behind each magic number", () => {
    const machine = new SmallMachine(2 * 1024 * 1024);
    const magics = [
      [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1],
      [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1],
      [...makeMultibootHeader()],
      [],
    ];
    fc.assert(
      fc.property(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 2048 }), (magic, noise) =>
        survives(machine, Uint8Array.from([...magic, ...noise]), new Uint8Array(1)),
      ),
    );
  });
});
