/** Command lines of any words: a plan, or one line and exit code 2. */
import assert from "node:assert/strict";
import { refusal } from "../cli/options/command-line.js";
import type { Draw } from "./draw.js";
import type { Entrance } from "./entrance.js";

const OPTIONS = [
  ...["-M", "-m", "--smp", "--accel", "--cpu", "--kernel", "--initrd", "--append", "--serial", "--drive", "--device"],
  ...[
    "--netdev",
    "--nic",
    "--chardev",
    "--boot",
    "--bios",
    "--rtc",
    "--uuid",
    "--name",
    "--display",
    "--hda",
    "--cdrom",
  ],
  ...["--monitor", "--xen-domid", "--trace", "--log", "-S", "--no-reboot", "--nodefaults", "--debugcon"],
];
const VALUES = [
  ...[
    "pc",
    "512",
    "2",
    "kvm,xen-version=0x4000a,kernel-irqchip=split",
    "host,+xen-vapic",
    "vmlinuz",
    "mon:stdio",
    "none",
  ],
  ...[
    "file=disk.img,if=none,id=disk,format=raw",
    "xen-disk,drive=disk,vdev=xvda",
    "user,hostfwd=tcp:127.0.0.1:2222-:22",
  ],
  ...["ide-hd,drive=disk,bus=ide.1,unit=0,bootindex=1", "virtio-net-pci,netdev=n,mac=52:54:00:12:34:56,addr=0x5"],
  ...[
    "file,id=seabios,path=seabios.log",
    "isa-debugcon,iobase=0x402,chardev=seabios",
    "order=dc,menu=on,splash-time=2000",
  ],
  ...["cpus=4,sockets=2,cores=2,threads=1", "unix:/run/m,server=on,wait=off", "stream,addr.type=unix,addr.path=/tmp/x"],
];

function word(draw: Draw): string {
  if (draw.oneIn(2)) return draw.of(OPTIONS);
  const value = draw.of(VALUES);
  return draw.oneIn(2) ? value : Buffer.from(draw.mutated(Buffer.from(value))).toString("latin1");
}

export const commandLine: Entrance = {
  name: "command-line",
  tryOne(draw) {
    const argv = Array.from({ length: draw.below(12) }, () => word(draw));
    const [line, code] = refusal([...(draw.oneIn(2) ? ["--kernel", "vmlinuz"] : []), ...argv]);
    assert.doesNotMatch(line, /[\n\r\x1b]/, "it is one line");
    assert([0, 2].includes(code), `${JSON.stringify(argv)}: ${line} (exit code ${code})`);
  },
};
