/**
 * SeaBIOS and virtio disks: a guest that starts from one, and one that unplugs it and finds it again after a reset.
 *
 * [UNPLUG] xen.git docs/misc/hvm-emulated-unplug.pandoc
 */
import assert from "node:assert/strict";
import type { MachineConfig } from "../../shared/config.js";
import { IDE_BOOT_SUMS, writeIdeBootDisk } from "../support/ide-boot-image.js";
import { machines } from "../support/machines.js";
import { requireFirmware } from "../support/require-firmware.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";

const MIB = 2 ** 20;
/** Two boots on a software KVM whose host is busy. */
const BOOTS_MS = 120_000;

describe("A virtio disk under firmware", function () {
  this.timeout(BOOTS_MS);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "ide-boot.img");
    requireFirmware(this);
  });

  function image(name: string, commandLine: string): string {
    const path = folder.path(name);
    writeIdeBootDisk(path, { bytes: 4 * MIB, commandLine });
    return path;
  }

  function config(disks: MachineConfig["disks"]): MachineConfig {
    return {
      memoryBytes: 64 * MIB,
      accel: { xenVersion: 0x4_000a, transport: "userspace" },
      boot: {},
      serials: [{ kind: "stream" }],
      debugcon: { iobase: 0x402, chardev: { kind: "stream" } },
      ...(disks !== undefined && { disks }),
    };
  }

  it("is read by INT 13h, and started from", async () => {
    const { machine, text } = await create(
      config([{ path: image("boot.img", "unplug=0"), attach: { kind: "virtio", slot: 4 } }]),
    );
    await machine.start();
    assert.deepEqual(await machine.ended, { kind: "poweroff" });
    assert.match(text("debugcon"), /pci dev 00:04\.0 using modern \(1\.0\) virtio mode/);
    const { chs, data } = IDE_BOOT_SUMS;
    const said = text("serial0");
    assert.match(said, /int 13h: drive 0x80, extensions 0x30, 8192 sectors/);
    assert.match(said, new RegExp(`int 13h chs: ${chs}\\s+ide-boot: int 13h lba: ${data}`));
  });

  it("goes with the IDE disks when those are unplugged, and is back after the reset", async () => {
    const { machine, text, log } = await create(
      config([
        { path: image("ide.img", "reset=cf9"), attach: { kind: "ide" }, bootIndex: 0 },
        { path: image("other.img", ""), attach: { kind: "virtio", slot: 4 } },
      ]),
    );
    await machine.start();
    assert.deepEqual(await machine.ended, { kind: "poweroff" });
    assert.match(text("serial0"), /this is boot 1\s[^]*this is boot 2\s[^]*ends with 0 failures/);
    assert.equal(text("debugcon").match(/found virtio-blk at 00:04\.0/g)?.length, 2);
    const gone = log.filter(({ message }) => message === "guest unplugs emulated devices");
    assert.deepEqual(
      gone.map(({ fields }) => /virtio-blk-4/.test(String(fields["gone"]))),
      [true, true],
    );
  });
});
