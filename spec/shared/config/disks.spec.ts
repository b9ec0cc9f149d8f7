import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { DiskAttachment, MachineConfig } from "../../../shared/config.js";
import { resolveConfig } from "../../../shared/config.js";
import type { VmmError } from "../../../shared/errors.js";

type DiskInput = NonNullable<MachineConfig["disks"]>[number];

const XEN = { xenVersion: 0x4_000a };

function attachments(...disks: readonly DiskInput[]): readonly DiskAttachment[] {
  return resolveConfig({ accel: XEN, disks }).disks.map(({ attach }) => attach);
}

function refusal(...disks: readonly unknown[]): string {
  try {
    resolveConfig({ accel: XEN, disks });
    return "accepted";
  } catch (error) {
    return (error as VmmError).message;
  }
}

describe("disks of a configuration", () => {
  it("take the places on IDE that they ask for, and the others those that are left in order", () => {
    assert.deepEqual(
      attachments(
        { path: "a", attach: { kind: "ide" } },
        { path: "b", attach: { kind: "ide", channel: 0, unit: 0 } },
        { path: "c", attach: { kind: "ide", channel: 1 } },
        { path: "d", attach: { kind: "ide", unit: 1 } },
      ),
      [
        { kind: "ide", channel: 0, unit: 1 },
        { kind: "ide", channel: 0, unit: 0 },
        { kind: "ide", channel: 1, unit: 0 },
        { kind: "ide", channel: 1, unit: 1 },
      ],
    );
  });

  it("show one image by IDE and by Xen", () => {
    assert.deepEqual(attachments({ path: "a" }, { path: "a", attach: { kind: "ide", channel: 1, unit: 0 } }), [
      { kind: "xen", vdev: { name: "xvda", number: 51_712 } },
      { kind: "ide", channel: 1, unit: 0 },
    ]);
  });

  it("keep a serial number and a boot index", () => {
    const [disk] = resolveConfig({
      accel: XEN,
      disks: [{ path: "a", attach: { kind: "ide" }, serial: "QM 00001", bootIndex: 0 }],
    }).disks;
    assert.deepEqual([disk?.serial, disk?.bootIndex], ["QM 00001", 0]);
  });

  it("may be a CD drive without a disc", () => {
    const [drive] = resolveConfig({ accel: XEN, disks: [{ media: "cdrom", attach: { kind: "ide" } }] }).disks;
    assert.deepEqual([drive?.path, drive?.readOnly], [undefined, true]);
  });

  const ide = { kind: "ide" } as const;
  const refused: readonly [readonly unknown[], RegExp][] = [
    [[{ attach: ide }], /^disks\.0\.path: must be given$/],
    [[{ media: "cdrom" }], /^disks\.0\.path: must be given$/],
    [[{ path: "a", attach: { ...ide, channel: 2 } }], /^disks\.0\.attach\.channel: must be 0 or 1$/],
    [
      [
        { path: "a", attach: { ...ide, channel: 1, unit: 0 } },
        { path: "b", attach: { ...ide, channel: 1, unit: 0 } },
      ],
      /^disks\.1\.attach: the IDE secondary master is taken by the disk "disk0"$/,
    ],
    [Array.from({ length: 5 }, () => ({ path: "a", attach: ide })), /^disks\.4\.attach: no IDE place is free there/],
    [
      Array.from({ length: 3 }, () => ({ path: "a", attach: { ...ide, unit: 1 } })),
      /^disks\.2\.attach: no IDE place is free there/,
    ],
    [[{ path: "a", attach: { kind: "virtio" }, media: "cdrom" }], /^disks\.0\.media: there are no CD drives on virtio/],
    [[{ path: "a", serial: "1" }], /^disks\.0\.serial: a Xen disk has no serial number$/],
    [[{ path: "a", attach: ide, serial: "x".repeat(21) }], /^disks\.0\.serial: must be at most 20 printable ASCII/],
    [[{ path: "a", attach: ide, serial: "ü" }], /^disks\.0\.serial: must be at most 20 printable ASCII/],
    [[{ path: "a", bootIndex: 1 }], /^disks\.0\.bootIndex: firmware does not boot from a Xen disk/],
    [[{ path: "a", attach: ide, bootIndex: -1 }], /^disks\.0\.bootIndex: must be a whole number from 0 to/],
    [
      [
        { path: "a", attach: ide, bootIndex: 1 },
        { path: "b", attach: ide, bootIndex: 1 },
      ],
      /^disks\.1\.bootIndex: 1 is that of disks\.0 already$/,
    ],
  ];
  for (const [disks, line] of refused) {
    it(`are refused: ${JSON.stringify(disks).slice(0, 90)}`, () => {
      assert.match(refusal(...disks), line);
    });
  }
});
