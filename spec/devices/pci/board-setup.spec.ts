import assert from "node:assert/strict";
import { setUpBoard } from "../../../devices/pci/board-setup.js";
import { PciHostBridge } from "../../../devices/pci/host-bridge.js";
import { I440Fx } from "../../../devices/pci/i440fx.js";
import { Piix3 } from "../../../devices/pci/piix3.js";
import { Piix4Pm } from "../../../devices/pci/piix4-pm.js";
import { XenPlatform } from "../../../devices/xen-platform.js";
import { smallArena } from "../port-driver.js";

class Board {
  readonly arena = smallArena();
  readonly piix3 = new Piix3(this.arena, { routesChanged: () => undefined });
  readonly pm = new Piix4Pm(this.arena, { read: () => 0, write: () => undefined });
  readonly platform = new XenPlatform(this.arena, { unplug: () => undefined, log: () => undefined });
  readonly bridge = new PciHostBridge(this.arena, [
    new I440Fx(this.arena, { pamChanged: () => undefined }),
    this.piix3,
    this.pm,
    this.platform,
  ]);
  triggers = 0;

  constructor() {
    this.bridge.reset();
    const pic = {
      setTriggers: (levelTriggered: number) => {
        this.triggers = levelTriggered;
      },
    };
    setUpBoard(this.bridge, pic, 0xe000_0000);
  }
}

describe("setUpBoard()", () => {
  it("places every BAR in its window and enables it, the PM block at 0xb000 and the SMBus at 0xb100", () => {
    assert.deepEqual(
      new Board().bridge.decodes().map(({ kind, base, length }) => ({ kind, base, length })),
      [
        { kind: "io", base: 0xb000, length: 64 },
        { kind: "io", base: 0xb100, length: 16 },
        { kind: "io", base: 0xc000, length: 0x100 },
        { kind: "mmio", base: 0xe000_0000, length: 0x100_0000 },
      ],
    );
  });

  it("routes PCI interrupts to 10 and 11 and tells each function its line", () => {
    const board = new Board();
    assert.equal(board.bridge.readConfig(board.piix3, 0x60, 4), 0x0b0b_0a0a);
    assert.equal(board.bridge.readConfig(board.platform, 0x3c, 1), 10);
    assert.equal(board.bridge.readConfig(board.pm, 0x3c, 1), 9);
    assert.equal(board.piix3.intxGsi(2, 1), 10);
  });

  it("makes the SCI and the PCI interrupts level-triggered", () => {
    assert.equal(new Board().triggers, 0x0e00);
  });

  it("leaves an unused BAR as it was", () => {
    const board = new Board();
    assert.equal(board.bridge.readConfig(board.platform, 0x18, 4), 0);
  });
});
