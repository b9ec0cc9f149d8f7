/** [BOOTORDER] SeaBIOS, docs/Runtime_config.md */
import assert from "node:assert/strict";
import { bootPath, buildBootOrder } from "../../../../devices/boot/firmware/boot-order.js";
import type { BootCandidate } from "../../../../devices/boot/firmware/boot-order.js";

const DISK: BootCandidate = { device: { kind: "ide", channel: 0, unit: 1 }, bootIndex: 2 };
const NET: BootCandidate = { device: { kind: "net", slot: 11 }, bootIndex: 0 };
const VIRTIO: BootCandidate = { device: { kind: "virtio-blk", slot: 3 }, bootIndex: 1 };
const UNRANKED: BootCandidate = { device: { kind: "ide", channel: 1, unit: 0 }, bootIndex: undefined };

function lines(candidates: readonly BootCandidate[], strict = false): readonly string[] {
  const text = Buffer.from(buildBootOrder(candidates, strict)).toString("latin1");
  return text === "" ? [] : text.split("\n");
}

describe("bootPath()", () => {
  it("names devices as SeaBIOS does, slots in hexadecimal", () => {
    assert.equal(bootPath(DISK.device), "/pci@i0cf8/ide@1,1/drive@0/disk@1");
    assert.equal(bootPath(VIRTIO.device), "/pci@i0cf8/scsi@3/disk@0,0");
    assert.equal(bootPath(NET.device), "/pci@i0cf8/ethernet@b/ethernet-phy@0");
  });
});

describe("buildBootOrder()", () => {
  it("ranks by boot index and ends with a zero byte", () => {
    assert.deepEqual(lines([DISK, NET, UNRANKED, VIRTIO]), [
      "/pci@i0cf8/ethernet@b/ethernet-phy@0",
      "/pci@i0cf8/scsi@3/disk@0,0",
      "/pci@i0cf8/ide@1,1/drive@0/disk@1\0",
    ]);
  });

  it("ends with HALT where nothing else is to be tried", () => {
    assert.deepEqual(lines([DISK], true), ["/pci@i0cf8/ide@1,1/drive@0/disk@1", "HALT\0"]);
    assert.deepEqual(lines([UNRANKED], true), ["HALT\0"]);
  });

  it("is empty without boot indices", () => {
    assert.deepEqual(lines([UNRANKED]), []);
  });
});
