/** Machines that start with firmware: SeaBIOS of this host, and a ROM of our own that tries the attribute map. */
import assert from "node:assert/strict";
import type { MachineConfig } from "../../shared/config.js";
import { machines } from "../support/machines.js";
import { guestImage } from "../support/project.js";
import { requireFirmware } from "../support/require-firmware.js";
import { temporaryFolder } from "../support/temporary.js";
import { requireKvm } from "../support/require-kvm.js";

const MIB = 1 << 20;
/** On a software KVM SeaBIOS takes a few seconds. */
const BOOT_MS = 60_000;

function firmware(changes: Partial<MachineConfig> = {}): MachineConfig {
  return {
    memoryBytes: 64 * MIB,
    accel: { xenVersion: 0x4_000a, transport: "userspace" },
    boot: {},
    serials: [{ kind: "stream" }],
    ...changes,
  };
}

describe("A machine with SeaBIOS", function () {
  this.timeout(2 * BOOT_MS);
  const { create } = machines();

  before(function () {
    requireFirmware(this);
  });

  it("comes up on the serial console, finds nothing to boot, and comes up again after a reset", async () => {
    const debugcon = { iobase: 0x402, chardev: { kind: "stream" } } as const;
    const { machine, waitFor, text } = await create(firmware({ vcpus: { count: 2 }, debugcon }));
    await machine.start();
    await waitFor("serial0", "No bootable device");
    assert.match(text("serial0"), /SeaBIOS \(version /);
    await waitFor("debugcon", "Found 2 cpu(s) max supported 2 cpu(s)");
    await machine.reset();
    const twice = /(SeaBIOS \(version [^]*No bootable device[^]*){2}/;
    while (!twice.test(text("serial0"))) await new Promise((resolve) => setTimeout(resolve, 20));
    // From the very start: ROM in every segment, so that SeaBIOS copies itself to RAM anew.
    assert.equal(text("debugcon").match(/Relocating init/g)?.length, 2);
    assert.equal(machine.status(), "running");
  });
});

describe("What SeaBIOS boots", function () {
  this.timeout(BOOT_MS);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireFirmware(this);
  });

  /** A disk whose boot sector prints a letter to COM1, amid what SeaBIOS still holds back, then ends the machine. */
  function disk(letter: string): string {
    const sectors = new Uint8Array(MIB);
    // mov dx, 0x3f8; mov al, letter; out dx, al; xor ax, ax; mov dx, 0xf4; out dx, ax; hlt
    sectors.set([0xba, 0xf8, 0x03, 0xb0, letter.charCodeAt(0), 0xee, 0x31, 0xc0, 0xba, 0xf4, 0x00, 0xef, 0xf4]);
    sectors.set([0x55, 0xaa], 510);
    return folder.file(`${letter}.img`, sectors);
  }

  /**
   * A CD whose boot image does the same, and then resets the machine.
   *
   * [ELTORITO] Phoenix and IBM, "El Torito" 1.0: boot record volume at block 17, 2.1 "Validation entry", 2.2 "Initial entry"
   */
  function disc(letter: string): string {
    const block = 2048;
    const image = Buffer.alloc(20 * block);
    image.write("\0CD001\u0001EL TORITO SPECIFICATION", 17 * block, "latin1");
    image.writeUInt32LE(18, 17 * block + 0x47);
    image.set([0x01, 0x00], 18 * block);
    image.set([0xaa, 0x55, 0x55, 0xaa], 18 * block + 0x1c);
    image.set([0x88, 0x00], 18 * block + 0x20);
    image.writeUInt16LE(4, 18 * block + 0x26);
    image.writeUInt32LE(19, 18 * block + 0x28);
    // mov dx, 0x3f8; mov al, letter; out dx, al; mov dx, 0xcf9; mov al, 6; out dx, al; hlt
    const code = [0xba, 0xf8, 0x03, 0xb0, letter.charCodeAt(0), 0xee, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xf4];
    image.set(code, 19 * block);
    return folder.file(`${letter}.iso`, image);
  }

  function disks(...bootIndices: readonly (number | undefined)[]): MachineConfig["disks"] {
    return bootIndices.map((bootIndex, index) => {
      const path = disk(index === 0 ? "A" : "B");
      return { path, attach: { kind: "ide" }, ...(bootIndex === undefined ? {} : { bootIndex }) };
    });
  }

  const debugExit = { iobase: 0xf4 };

  it("is the first IDE disk, where nobody says anything", async () => {
    const { machine, text } = await create(firmware({ debugExit, disks: disks(undefined, undefined) }));
    await machine.start();
    await machine.ended;
    assert.match(text("serial0"), /Booting from Hard Disk\.+\s*A/);
  });

  it("is the one with the lowest boot index", async () => {
    const { machine, text } = await create(firmware({ debugExit, disks: disks(2, 1) }));
    await machine.start();
    await machine.ended;
    assert.match(text("serial0"), /Booting from Hard Disk\.+\s*B/);
  });

  it("is of another kind for once, and after a reset the first of all again", async () => {
    const cd = { path: disc("D"), media: "cdrom", attach: { kind: "ide" } } as const;
    const { machine, text } = await create(
      firmware({ boot: { once: "d" }, debugExit, disks: [...(disks(undefined) ?? []), cd] }),
    );
    await machine.start();
    await machine.ended;
    assert.match(text("serial0"), /Booting from DVD\/CD\.+\s*D[^]*SeaBIOS[^]*Booting from Hard Disk\.+\s*A/);
  });

  it("is looked for again and again, where that is asked for", async () => {
    const { machine, text, waitFor } = await create(firmware({ boot: { retryMs: 100 } }));
    await machine.start();
    await waitFor("serial0", "No bootable device.  Retrying in");
    const again = /Retrying in[^]*SeaBIOS[^]*Retrying in/;
    while (!again.test(text("serial0"))) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(machine.status(), "running");
  });

  it("is the same on a machine without ACPI", async () => {
    const { machine, text } = await create(firmware({ acpi: false, debugExit, disks: disks(undefined) }));
    await machine.start();
    await machine.ended;
    assert.match(text("serial0"), /Booting from Hard Disk\.+\s*A/);
  });

  it("can be chosen from its menu, on the serial console", async () => {
    const boot = { menu: true, menuTimeoutMs: 30_000 };
    const { machine, text, waitFor } = await create(firmware({ boot, debugExit, disks: disks(undefined, undefined) }));
    await machine.start();
    await waitFor("serial0", "for boot menu");
    // Debian's asks for ESC, others for F12.
    const key = /Press (\S+) for boot menu/.exec(text("serial0"))?.[1];
    await machine.writeStream("serial0", Buffer.from(key === "ESC" ? "\x1b" : "\x1b[24~"));
    await waitFor("serial0", "Select boot device");
    await waitFor("serial0", "2. ata0-1");
    await machine.writeStream("serial0", Buffer.from("2"));
    await machine.ended;
    assert.match(text("serial0"), /Booting from Hard Disk\.+\s*B/);
  });
});

describe("The attribute map of the memory below 1 MiB", function () {
  this.timeout(BOOT_MS);
  const { create } = machines();

  before(function () {
    requireKvm(this, "pam.bin");
  });

  /** guests/pam: a load, a store and a load in the states 0, 2, 1, 3, 1, 0; the BIOS's segment in the ROM starts with 0x5a. */
  const OPTION_ROM = "ffff ffff a2a2 a2a3 a3a3 ffff ";
  const BIOS = "5a5a 5a5a a2a2 a2a3 a3a3 5a5a ";
  /** ROM executed, also while stores go to RAM; RAM, which ignores a store and then takes one; ROM again. */
  const EXECUTED = "rrRRWr";
  /** A second processor that runs in the segment goes on over hundreds of changes. */
  const UNDISTURBED = "S";

  it("has its four states for a guest's loads, stores and code (P6, V9)", async () => {
    const { machine, text } = await create(
      firmware({ vcpus: { count: 2 }, boot: { bios: guestImage("pam.bin") }, debugExit: { iobase: 0xf4 } }),
    );
    await machine.start();
    assert.deepEqual(await machine.ended, { kind: "debug-exit", code: 1 });
    assert.equal(text("serial0"), OPTION_ROM + BIOS + EXECUTED + UNDISTURBED);
  });
});
