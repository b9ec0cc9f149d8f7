import assert from "node:assert/strict";
import { XEN, machineOf, placeOf, refusal, words } from "./command-line.js";

/** Each disk's name, image and place. */
function disksOf(line: string): readonly string[] {
  return machineOf(line).disks.map(
    ({ id, path, media, attach }) => `${id} ${path ?? "empty"} ${media} ${placeOf(attach)}`,
  );
}

describe("disks of a command line", () => {
  it("shows one image by IDE and by Xen, as whoever boots a Xen guest wants it", () => {
    const config = machineOf(
      "-M pc --accel kvm,xen-version=0x4000a,kernel-irqchip=split --cpu host,+xen-vapic -m 1024 --smp 2 " +
        "--serial mon:stdio --display none " +
        "--drive file=IMAGE,if=none,id=disk,file.locking=off --device xen-disk,drive=disk,vdev=xvda " +
        "--drive file=IMAGE,index=2,media=disk,file.locking=off,if=ide",
    );
    assert.equal(config.boot.kind, "firmware");
    assert.deepEqual(
      config.disks.map(({ path, locking, media, attach }) => [path, locking, media, placeOf(attach)]),
      [
        ["IMAGE", "off", "disk", "ide1.0"],
        ["IMAGE", "off", "disk", "xvda"],
      ],
    );
  });

  const accepted: readonly [string, readonly string[]][] = [
    ["-drive file=a", ["ide0-hd0 a disk ide0.0"]],
    ["-drive file=a,if=ide -drive file=b", ["ide0-hd0 a disk ide0.0", "ide0-hd1 b disk ide0.1"]],
    ["-drive file=a -drive file=b,index=0", ["ide0-hd1 a disk ide0.1", "ide0-hd0 b disk ide0.0"]],
    ["-drive file=a,bus=1,unit=1", ["ide1-hd1 a disk ide1.1"]],
    ["-drive file=a,bus=1", ["ide1-hd0 a disk ide1.0"]],
    ["-drive file=a,media=cdrom,index=2", ["ide1-cd0 a cdrom ide1.0"]],
    ["-drive if=ide,media=cdrom,index=3", ["ide1-cd1 empty cdrom ide1.1"]],
    ["-drive file=,media=cdrom", ["ide0-cd0 empty cdrom ide0.0"]],
    [
      "-hda a -hdb b -hdc c -hdd d",
      ["ide0-hd0 a disk ide0.0", "ide0-hd1 b disk ide0.1", "ide1-hd0 c disk ide1.0", "ide1-hd1 d disk ide1.1"],
    ],
    ["-cdrom a.iso -hda b", ["ide0-hd0 b disk ide0.0", "ide1-cd0 a.iso cdrom ide1.0"]],
    ["-drive file=a,if=virtio -drive file=b,if=virtio", ["virtio0 a disk slot 3", "virtio1 b disk slot 4"]],
    ["-drive file=a,if=none,id=x -device ide-hd,drive=x", ["x a disk ide0.0"]],
    ["-drive file=a,if=none,id=x -device ide-hd,drive=x,bus=ide.1,unit=1", ["x a disk ide1.1"]],
    ["-drive file=a,if=none,id=x -device ide-cd,drive=x,bus=ide.1", ["x a cdrom ide1.0"]],
    ["-device ide-cd,id=tray", ["tray empty cdrom ide0.0"]],
    ["-device ide-cd", ["ide0-cd0 empty cdrom ide0.0"]],
    ["-drive file=a,if=none,id=x -device virtio-blk-pci,drive=x,addr=0x1f", ["x a disk slot 31"]],
    ["-drive file=a,if=none,id=x -device virtio-blk,drive=x,addr=10.0,bus=pci.0", ["x a disk slot 16"]],
    ["-drive file=a,if=xen,werror=report,rerror=report", ["xen0 a disk xvda"]],
    ["-drive file=a,id=ide0-hd1 -drive file=b", ["ide0-hd1 a disk ide0.0", "ide0-hd1-1 b disk ide0.1"]],
  ];
  for (const [line, expected] of accepted) {
    it(`has ${line} as ${expected.join(", ")}`, () => {
      assert.deepEqual(disksOf(line), expected);
    });
  }

  it("takes boot index and serial number from the device", () => {
    const [disk] = machineOf("-drive file=a,if=none,id=x -device ide-hd,drive=x,bootindex=1,serial=QM1").disks;
    assert.deepEqual([disk?.bootIndex, disk?.serial], [1, "QM1"]);
    const [other] = machineOf("-drive file=a,if=none,id=x -device ide-hd,drive=x,bootindex=-1").disks;
    assert.equal(other?.bootIndex, undefined);
  });

  const refused: readonly [string, string][] = [
    ["-drive index=0", "--drive: needs file="],
    ["-drive file=a,if=scsi", "--drive if: 'scsi' is none of ide, virtio, xen, none"],
    ["-drive file=a,index=4", "--drive index: must be from 0 to 3, not 4"],
    ["-drive file=a,index=two", "--drive index: must be a whole number, not 'two'"],
    ["-drive file=a,bus=2", "--drive bus: must be from 0 to 1, not 2"],
    ["-drive file=a,unit=2", "--drive unit: must be from 0 to 1, not 2"],
    ["-drive file=a,index=1,unit=1", "--drive index: cannot be given together with bus or unit"],
    [
      "-drive file=a,if=virtio,index=0",
      "--drive index: is for if=ide: a drive with if=virtio has its place by --device virtio-blk-pci,addr=",
    ],
    [
      "-drive file=a,if=none,id=x,unit=0",
      "--drive unit: is for if=ide: a drive with if=none has its place by its --device",
    ],
    ["-drive file=a,if=none", "--drive: if=none needs id=, by which a device uses it"],
    ["-drive file=a,werror=enospc", "--drive werror: 'enospc' is none of report"],
    ["-hda a -hda b", "--hda: the IDE primary master (index=0) is taken by --hda"],
    ["-hdc a -cdrom b", "--cdrom: the IDE secondary master (index=2) is taken by --hdc"],
    ["-drive file=a,index=2 -cdrom b", "--cdrom: the IDE secondary master (index=2) is taken by --drive"],
    ["-hdd= ", "--hdd: needs a file"],
    ["-hda nbd:x", "--hda: 'nbd:' is not read here: only files and block devices are"],
    [
      "-hda a -drive file=b,if=none,id=x -device ide-hd,drive=x,bus=ide.0,unit=0",
      "--device ide-hd: the IDE primary master (index=0) is taken by --hda",
    ],
    ["-hda a -hdb b -drive file=c,bus=0", "--drive: no place is free on IDE: two channels have two drives each"],
    ["-device ide-hd", "--device ide-hd: needs drive="],
    ["-device ide-cd,bus=ide.2", "--device ide-cd bus: 'ide.2' is none of ide.0, ide.1: did you mean 'ide.0'?"],
    ["-device ide-cd,unit=2", "--device ide-cd unit: must be 0 or 1, not 2"],
    ["-drive if=none,id=x,media=cdrom -device ide-hd,drive=x", "--device ide-hd drive: a disk needs an image"],
    [
      "-drive file=a,if=none,id=x,media=cdrom -device virtio-blk-pci,drive=x",
      "--drive media: there are no CD drives on virtio: attach it by ide or xen",
    ],
    ["-drive if=none,id=x,media=cdrom -device xen-cdrom,drive=x", "--drive file: must be given"],
    [
      "-drive file=a,if=none,id=x -device ide-hd,drive=x,serial=123456789012345678901",
      "--device serial: must be at most 20 printable ASCII characters",
    ],
    [
      "-drive file=a,if=none,id=x -device ide-hd,drive=x,bootindex=x",
      "--device ide-hd bootindex: must be a whole number, not 'x'",
    ],
    [
      "-device ide-cd,bootindex=1 -device ide-cd,bootindex=1",
      "--device ide-cd bootindex: 1 is taken by --device ide-cd",
    ],
  ];
  for (const [line, message] of refused) {
    it(`refuses ${line}`, () => {
      assert.deepEqual(refusal(words(`${XEN} ${line}`)), [message, 2]);
    });
  }
});
