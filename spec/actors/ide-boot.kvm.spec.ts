/**
 * The way of a classic Xen HVM guest on a small scale: SeaBIOS starts guests/ide-boot from its IDE disk, which reads that
 * disk every way there is, unplugs it, resets the machine and starts from it again.
 *
 * [UNPLUG] xen.git docs/misc/hvm-emulated-unplug.pandoc
 */
import assert from "node:assert/strict";
import type { MachineConfig } from "../../shared/config.js";
import { bootsOf, IDE_BOOT_CD, IDE_BOOT_SUMS, writeIdeBootDisk } from "../support/ide-boot-image.js";
import { machines } from "../support/machines.js";
import { requireFirmware } from "../support/require-firmware.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** Two boots on a software KVM whose host is busy. */
const BOOTS_MS = 120_000;
/** More sectors than 28 bits count; the file is nearly all hole. */
const LARGE = 129 * GIB;
const FAR_SECTOR = 0x1000_0040;

/** What the guest says about itself, without its name in front. */
function said(text: string): readonly string[] {
  return [...text.matchAll(/ide-boot: (.*)\n/g)].map(([, line = ""]) => line.trimEnd());
}

describe("A guest that starts from its IDE disk", function () {
  this.timeout(BOOTS_MS);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "ide-boot.img");
    requireFirmware(this);
  });

  function config(name: string, commandLine: string, changes: Partial<MachineConfig> = {}): MachineConfig {
    const path = folder.path(`${name}.img`);
    writeIdeBootDisk(path, { bytes: LARGE, farSector: FAR_SECTOR, commandLine });
    const disc = folder.file(`${name}.iso`, IDE_BOOT_CD);
    return {
      memoryBytes: 64 * MIB,
      accel: { xenVersion: 0x4_000a, transport: "userspace" },
      boot: {},
      serials: [{ kind: "stream" }],
      disks: [
        { path, locking: "off", attach: { kind: "xen" } },
        { path, locking: "off", attach: { kind: "ide", channel: 0, unit: 0 } },
        { path: disc, media: "cdrom", attach: { kind: "ide", channel: 1, unit: 0 } },
      ],
      ...changes,
    };
  }

  it("reads it by INT 13h, PIO and DMA, unplugs it, resets by 0xcf9, and finds it back", async () => {
    const { machine, text, log } = await create(config("cf9", "reset=cf9"));
    await machine.start();
    assert.deepEqual(await machine.ended, { kind: "poweroff" });
    const { chs, data, cd } = IDE_BOOT_SUMS;
    const boot = (number: number): readonly (RegExp | string)[] => [
      "sector 0 runs",
      "int 13h: drive 0x80, extensions 0x30, 270532608 sectors",
      `int 13h chs: ${chs}`,
      `int 13h lba: ${data}`,
      /^at boot: ata0-0 is the disk .+, 270532608 sectors$/,
      /^at boot: ata1-0 is the CD-ROM .+$/,
      `pio lba28: ${data}`,
      `pio lba48: ${data}`,
      `dma lba28: ${data}`,
      `dma lba48: ${data}`,
      // [ATA-6] 7.9: ID not found, or command aborted.
      /^past the end: error 0x(4|10)$/,
      `this is boot ${number}`,
      `cd: ${cd}`,
      // Nobody is left to drive the first channel's bus.
      "unplug 0x1: status 0xff, read fails",
      /^after unplug: ata1-0 is the CD-ROM .+$/,
      `cd after unplug: ${cd}`,
    ];
    const expected = [...boot(1), "resets", ...boot(2), "ends with 0 failures"];
    const lines = said(text("serial0"));
    for (const [i, want] of expected.entries()) {
      if (typeof want === "string") assert.equal(lines[i], want);
      else assert.match(lines[i] ?? "", want);
    }
    assert.equal(lines.length, expected.length);
    assert.equal(bootsOf(folder.path("cf9.img")), 2);
    assert.deepEqual(
      log.filter(({ level }) => level === "error"),
      [],
    );
  });

  for (const [reset, what] of [
    ["kbc", "the 8042"],
    ["acpi", "ACPI's reset register"],
    ["triple", "a triple fault"],
  ] as const) {
    it(`resets by ${what}, and ends by isa-debug-exit`, async () => {
      const { machine, text } = await create(
        config(reset, `reset=${reset} debug-exit`, { debugExit: { iobase: 0xf4, iosize: 4 } }),
      );
      await machine.start();
      // isa-debug-exit: no failures, shifted left by one, plus 1
      assert.deepEqual(await machine.ended, { kind: "debug-exit", code: 1 });
      const lines = said(text("serial0"));
      assert.deepEqual(
        lines.filter((line) => /^(this is boot|resets|no reset|FAILED)/.test(line)),
        ["this is boot 1", "resets", "this is boot 2"],
      );
    });
  }

  it("keeps its disk when it does not unplug, or unplugs what is not there", async () => {
    const { machine, text } = await create(config("nics", "unplug=0x2"));
    await machine.start();
    assert.deepEqual(await machine.ended, { kind: "poweroff" });
    const after = said(text("serial0")).filter((line) => /unplug/.test(line));
    assert.match(after[0] ?? "", /^unplug 0x2: status 0x[45][0-9a-f], read works$/);
    assert.match(after[1] ?? "", /^after unplug: ata0-0 is the disk /);
  });

  it("is chosen in the boot menu", async () => {
    const boot = { menu: true, menuTimeoutMs: 20_000 };
    const { machine, text, waitFor } = await create(config("menu", "unplug=0", { boot }));
    await machine.start();
    await waitFor("serial0", "boot menu");
    await machine.writeStream("serial0", Buffer.from("\x1b"));
    await waitFor("serial0", "Select boot device");
    await waitFor("serial0", "DVD/CD]");
    assert.match(text("serial0"), /1\. ata0-0: .*Hard-Disk/);
    assert.match(text("serial0"), /2\. DVD\/CD \[ata1-0: .* DVD\/CD\]/);
    await machine.writeStream("serial0", Buffer.from("1"));
    assert.deepEqual(await machine.ended, { kind: "poweroff" });
    assert.match(text("serial0"), /ide-boot: this is boot 1\n/);
  });
});
