/** [UNPLUG] xen.git docs/misc/hvm-emulated-unplug.pandoc */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { IdeDrives } from "../../actors/ide-drives.js";
import { unplug } from "../../actors/unplug.js";
import { SharedArena } from "../../shared/arena.js";
import { resolveConfig } from "../../shared/config.js";
import { logTo } from "../../shared/log.js";
import type { LogRecord } from "../../shared/log.js";
import { PciHostBridge } from "../../devices/pci/host-bridge.js";
import { VirtioPci } from "../../devices/virtio/virtio-pci.js";
import { RecordedLine, smallArena } from "../devices/port-driver.js";
import { TestDevice } from "../devices/virtio/test-device.js";

const DISKS = 1;
const NICS = 2;
const SECONDARY_DISKS = 4;
const NVME = 8;
/** Four drives, the secondary master for CDs. */
const IDE_DISKS = resolveConfig({
  boot: { kernel: "k" },
  disks: (
    [
      [0, 0, "disk"],
      [0, 1, "disk"],
      [1, 0, "cdrom"],
      [1, 1, "disk"],
    ] as const
  ).map(([channel, unit, media]) => ({ path: "p", media, attach: { kind: "ide", channel, unit } })),
}).disks;

describe("unplug()", () => {
  let board: Parameters<typeof unplug>[0]["board"];
  let logged: LogRecord[];

  beforeEach(() => {
    const arena = smallArena();
    const messages = { signal: () => true, isPirqBound: () => false, enlist: () => undefined };
    // SCSI, as virtio disks are by class; Ethernet; something else.
    const virtio = [0x01_0000, 0x02_0000, 0xff_0000].map((classCode, i) => {
      const device = new TestDevice(`virtio-${i}`, classCode);
      return new VirtioPci(arena, { device, slot: 3 + i, intx: new RecordedLine(), messages });
    });
    const ide = new IdeDrives(new SharedArena(new SharedArrayBuffer(256 * 1024)), IDE_DISKS, {
      router: { isa: () => new RecordedLine() },
      diskSectors: [100, 100, 100, 100],
      kickDisk: () => undefined,
      trayMoved: () => undefined,
    });
    board = { virtio, ide, bridge: new PciHostBridge(arena, [ide.pci, ...virtio]) };
    board.bridge.reset();
    logged = [];
  });

  function present(): readonly string[] {
    const drives = board.ide.drives.filter(({ place }) => {
      const { commandBlock } = board.ide.pci.channels[place.channel];
      commandBlock.write(6, 1, place.unit === 0 ? 0xa0 : 0xb0);
      // IDLE IMMEDIATE: what is there becomes ready.
      commandBlock.write(7, 1, 0xe1);
      return commandBlock.read(7, 1) === 0x50;
    });
    return [...drives, ...board.virtio.filter((pci) => board.bridge.isPresent(pci))].map(({ name }) => name);
  }

  function go(mask: number): void {
    const log = logTo("unplug", (record) => logged.push(record));
    unplug({ board, log, nowMs: () => 0, stopping: () => false }, mask);
  }

  const all = ["ide0.0", "ide0.1", "ide1.0", "ide1.1", "virtio-0", "virtio-1", "virtio-2"];
  const cases: readonly (readonly [mask: number, left: readonly string[]])[] = [
    [DISKS, ["ide1.0", "virtio-1", "virtio-2"]],
    [NICS, ["ide0.0", "ide0.1", "ide1.0", "ide1.1", "virtio-0", "virtio-2"]],
    [DISKS | NICS, ["ide1.0", "virtio-2"]],
    [SECONDARY_DISKS, ["ide0.0", "ide1.0", "virtio-0", "virtio-1", "virtio-2"]],
    [DISKS | SECONDARY_DISKS, ["ide1.0", "virtio-1", "virtio-2"]],
    [NVME, all],
    [0xffff, ["ide1.0", "virtio-2"]],
  ];
  for (const [mask, left] of cases) {
    it(`leaves ${left.join(", ")} of mask ${mask} (U1)`, () => {
      go(mask);
      go(mask);
      assert.deepEqual(present(), left);
    });
  }

  it("resets what it takes away, and a reset of the machine brings it back", () => {
    const [disk] = board.virtio;
    assert(disk !== undefined);
    disk.state.locked(() => {
      disk.state.write("deviceStatus", 3);
    });
    go(DISKS);
    assert.equal(disk.state.status, 0);
    board.bridge.reset();
    assert.deepEqual(present(), all);
  });

  it("says what went", () => {
    go(DISKS | NICS);
    assert.deepEqual(logged[0]?.fields, { mask: 3, gone: "ide0.0 ide0.1 ide1.1 virtio-0 virtio-1" });
  });
});
