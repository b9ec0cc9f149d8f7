/** What `xenolith --help` prints. */
import { EXIT_CODES } from "./exit-codes.js";
import { OPTIONS, spell } from "./options/table.js";
import type { OptionRow } from "./options/table.js";

const USAGE = `usage: xenolith [options]
       xenolith doctor [--json]
       xenolith selftest [--smp N] [--transport kernel|userspace] [--group NAME]
       xenolith stress [--smp N] [--seconds N] [--seed N] [--only NAME,NAME] [--json]

Runs a Xen HVM guest on KVM. Options are QEMU's, with one dash or two; ",," stands for a comma in a value.
`;

const EXAMPLE = `example:
  xenolith -M pc --accel kvm,xen-version=0x4000a,kernel-irqchip=split --cpu host,+xen-vapic -m 512 --smp 2 \\
    --kernel vmlinuz --initrd initrd.img --append "root=/dev/xvda console=ttyS0" --display none --serial mon:stdio \\
    --drive file=disk.img,if=none,id=disk,file.locking=off,format=raw --device xen-disk,drive=disk,vdev=xvda
`;

const KEYS = `keys where the terminal is shared (mon:stdio):
  Ctrl-A x  exit             Ctrl-A c  switch between the consoles and the monitor
  Ctrl-A h  help             Ctrl-A t  time stamps on or off
  Ctrl-A b  send a break     Ctrl-A Ctrl-A  send Ctrl-A
`;

export function helpText(): string {
  const rows = Object.entries(OPTIONS).map(([name, row]) => optionText(name, row));
  const codes = EXIT_CODES.map(([code, meaning]) => `  ${code.padEnd(7)}${meaning}`);
  return [USAGE, "options:", ...rows, "", KEYS, "exit codes:", ...codes, "", EXAMPLE].join("\n");
}

function optionText(name: string, { value, alias, help }: OptionRow): string {
  const spelling = alias === undefined ? spell(name) : `${spell(alias)}, ${spell(name)}`;
  return `  ${spelling}${value === undefined ? "" : ` ${value}`}\n      ${help}`;
}
