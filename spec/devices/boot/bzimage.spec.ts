import assert from "node:assert/strict";
import { loadKernel } from "../../../devices/boot/load.js";
import { MIB, SmallMachine, makeBzImage, refusal } from "./fixtures.js";
import type { BzImageFields } from "./fixtures.js";

function boot(
  fields: BzImageFields,
  options: Parameters<SmallMachine["config"]>[1] = {},
  initrd = new Uint8Array(5000),
) {
  const machine = new SmallMachine();
  const state = loadKernel(machine.config({ kernel: makeBzImage(fields), initrd: initrd.fill(0x77) }, options));
  return { machine, state, zeroPage: state.registers.rsi };
}

describe("bzImage, 64-bit boot protocol", () => {
  it("puts the protected-mode code at pref_address and enters it 0x200 behind", () => {
    const { machine, state } = boot({ prefAddress: 0x20_0000 });
    assert.equal(state.protocol, "linux64");
    assert.equal(state.registers.rip, 0x20_0200);
    assert.deepEqual(machine.bytes(0x20_0ffe, 4), [0xcc, 0xcc, 0xee, 0xee]);
  });

  it("copies the setup header into a cleared zero page and fills in the loader's fields", () => {
    const { machine, zeroPage } = boot({ loadflags: 0x03 });
    assert.deepEqual(machine.bytes(zeroPage + 0x1fe, 10), [0x55, 0xaa, 0xeb, 0x66, 0x48, 0x64, 0x72, 0x53, 0x0f, 0x02]);
    assert.equal(machine.u8(zeroPage + 0x1ef), 0, "sentinel");
    assert.equal(machine.u8(zeroPage + 0x210), 0xff, "type_of_loader");
    assert.equal(machine.u8(zeroPage + 0x211), 0x01, "loadflags without KASLR_FLAG");
    assert.equal(machine.u32(zeroPage + 0x214), 0x10_0000, "code32_start");
    assert.equal(machine.u64(zeroPage + 0x250), 0, "setup_data");
    assert.equal(machine.u32(zeroPage + 0x260), 0x10_0000, "init_size");
  });

  it("gives the memory map in 20-byte entries", () => {
    const { machine, zeroPage } = boot({});
    assert.equal(machine.u8(zeroPage + 0x1e8), 6);
    assert.equal(machine.u64(zeroPage + 0x2d0), 0);
    assert.equal(machine.u64(zeroPage + 0x2d8), 0x9_fc00);
    assert.equal(machine.u32(zeroPage + 0x2e0), 1);
    assert.equal(machine.u64(zeroPage + 0x2d0 + 3 * 20), 0x10_0000);
    assert.equal(machine.u64(zeroPage + 0x2d8 + 3 * 20), 0x30_0000);
  });

  it("points to the command line, terminated", () => {
    const { machine, zeroPage } = boot({}, { cmdline: "root=/dev/xvda quiet" });
    assert.equal(machine.text(machine.u32(zeroPage + 0x228)), "root=/dev/xvda quiet");
  });

  it("points to the ACPI root pointer", () => {
    const acpi = {
      apicIds: [0],
      serialPorts: [0],
      keyboard: true,
      mouse: false,
      vga: false,
      pmBase: 0xb000,
      pciWindowStart: 0xe000_0000,
    };
    const { machine, zeroPage } = boot({}, { acpi });
    assert.equal(machine.u64(zeroPage + 0x070), 0xe_0000);
    assert.equal(machine.text(0xe_0000).slice(0, 8), "RSD PTR ");
  });

  it("puts the initrd at the top of low RAM", () => {
    const { machine, zeroPage } = boot({}, { initrd: "initrd" });
    assert.equal(machine.u32(zeroPage + 0x218), 4 * MIB - 0x2000);
    assert.equal(machine.u32(zeroPage + 0x21c), 5000);
    assert.deepEqual(machine.bytes(4 * MIB - 0x2000, 5000), new Array(5000).fill(0x77));
  });

  it("keeps the initrd at or below initrd_addr_max", () => {
    const { machine, zeroPage } = boot({ initrdAddrMax: 0x2f_ffff }, { initrd: "initrd" });
    assert.equal(machine.u32(zeroPage + 0x218), 0x2f_e000);
  });

  it("leaves the initrd's fields zero without one", () => {
    const { machine, zeroPage } = boot({});
    assert.deepEqual(machine.bytes(zeroPage + 0x218, 8), new Array(8).fill(0));
  });

  it("takes setup_sects 0 for 4", () => {
    const image = makeBzImage({ setupSects: 4 });
    image[0x1f1] = 0;
    const machine = new SmallMachine();
    loadKernel(machine.config({ kernel: image }));
    assert.deepEqual(machine.bytes(0x10_0000, 2), [0xcc, 0xcc]);
  });

  it("counts syssize in units of 16 bytes, the last of which need not be full", () => {
    const { machine } = boot({ syssize: 0x100, codeLength: 0xff1 });
    assert.deepEqual(machine.bytes(0x10_0ff0, 2), [0xcc, 0xee]);
  });

  it("loads a kernel that is not relocatable to code32_start and keeps pref_address free", () => {
    const { machine, zeroPage, state } = boot(
      { relocatable: 0, prefAddress: 0x20_0000, initSize: 0x1f_e000 },
      { initrd: "initrd" },
      new Uint8Array(0x2000),
    );
    assert.equal(state.registers.rip, 0x10_0200);
    assert.equal(machine.u32(zeroPage + 0x218), 0x3f_e000);
  });
});

describe("bzImage, 32-bit boot protocol", () => {
  it("enters a kernel without a 64-bit entry in protected mode at its start", () => {
    const { state } = boot({ xloadflags: 0x00 });
    assert.equal(state.protocol, "linux32");
    assert.equal(state.registers.mode, "protected32");
    assert.equal(state.registers.rip, 0x10_0000);
  });

  it("does not look at xloadflags before protocol 2.12", () => {
    assert.equal(boot({ version: 0x20b }).state.protocol, "linux32");
  });

  it("takes protocol 2.06, which has neither pref_address nor init_size", () => {
    const { state } = boot({
      version: 0x206,
      prefAddress: 0x7fff_f000,
      initSize: 0x7fff_ffff,
      payloadLength: 0xffff_ffff,
    });
    assert.equal(state.registers.rip, 0x10_0000);
  });
});

describe("bzImage, refused (L5)", () => {
  const table: readonly [string, BzImageFields, RegExp][] = [
    ["a version below 2.06", { version: 0x205 }, /boot protocol is 2\.05, 2\.06 or newer/],
    ["a zImage", { loadflags: 0 }, /zImage/],
    ["one without a 32-bit entry", { code32Start: 0 }, /starts in real mode alone/],
    ["setup_sects beyond the file", { setupSects: 255, codeLength: 0 }, /truncated/],
    ["code shorter than syssize", { syssize: 0x101 }, /truncated: its header announces 5136 bytes, the file has 5120/],
    ["syssize 2^32-1", { syssize: 0xffff_ffff }, /truncated/],
    ["a payload behind the code", { payloadLength: 0x0f01 }, /compressed kernel behind the end/],
    [
      "init_size larger than RAM",
      { initSize: 0xffff_ffff },
      /needs 4096 MiB at 0x100000, which lies outside the guest's RAM/,
    ],
    ["pref_address outside of RAM", { prefAddress: 2 ** 60 }, /lies outside/],
    ["pref_address 0", { prefAddress: 0 }, /below 1 MiB/],
  ];
  for (const [what, fields, pattern] of table) {
    it(`refuses ${what}`, () => {
      assert.throws(() => boot(fields), refusal("kernel", pattern));
    });
  }

  it("refuses a file without HdrS", () => {
    const machine = new SmallMachine();
    const image = makeBzImage();
    image[0x202] = 0;
    assert.throws(
      () => loadKernel(machine.config({ kernel: image })),
      refusal("kernel", /it is not a bzImage, an ELF/),
    );
  });

  it("refuses a header that ends before the fields of its version", () => {
    const machine = new SmallMachine();
    const image = makeBzImage();
    image[0x201] = 0x61;
    assert.throws(
      () => loadKernel(machine.config({ kernel: image })),
      refusal("kernel", /setup header ends early, at 0x263/),
    );
  });

  it("refuses a file cut in its header", () => {
    const machine = new SmallMachine();
    const image = makeBzImage().subarray(0, 0x230);
    assert.throws(
      () => loadKernel(machine.config({ kernel: image })),
      refusal("kernel", /truncated: its setup header/),
    );
  });

  it("takes a command line of cmdline_size bytes and refuses a longer one", () => {
    assert.equal(boot({ cmdlineSize: 4 }, { cmdline: "1234" }).state.protocol, "linux64");
    assert.throws(
      () => boot({ cmdlineSize: 4 }, { cmdline: "12345" }),
      refusal("kernel", /of 4 bytes, this one has 5/),
    );
  });

  it("counts a command line in bytes, not characters", () => {
    assert.throws(() => boot({ cmdlineSize: 4 }, { cmdline: "äää" }), refusal("kernel", /this one has 6/));
  });
});

describe("bzImage, initrd refused (L6)", () => {
  it("refuses one larger than RAM", () => {
    const huge = new Uint8Array(5 * MIB);
    assert.throws(() => boot({}, { initrd: "initrd" }, huge), refusal("initrd", /initrd of 5 MiB does not fit/));
  });

  it("refuses one that would overlap the kernel", () => {
    const large = new Uint8Array(2 * MIB + 1);
    assert.throws(() => boot({}, { initrd: "initrd" }, large), refusal("initrd", /does not fit in guest RAM beside/));
  });

  it("refuses one that initrd_addr_max leaves no room for", () => {
    assert.throws(() => boot({ initrdAddrMax: 0 }, { initrd: "initrd" }), refusal("initrd", /does not fit/));
  });

  it("refuses an empty one", () => {
    assert.throws(() => boot({}, { initrd: "initrd" }, new Uint8Array(0)), refusal("initrd", /empty/));
  });
});
