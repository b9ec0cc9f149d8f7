/**
 * GRUB on a partitioned disk of a PC with a BIOS, put there as its grub-bios-setup does, but into a file: no loop device needed.
 *
 * [GRUB] grub.git include/grub/i386/pc/boot.h, include/grub/offsets.h, util/setup.c
 * [MBR] the first sector of a PC's disk
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runHost } from "./host-command.js";
import { hostTool } from "./host-tool.js";

/** A primary partition, in sectors. */
export interface Partition {
  readonly start: number;
  readonly length: number;
}

export const SECTOR = 512;
/** The sector right behind the boot record: nobody else uses those up to the first partition. */
export const CORE_START = 1;

/** [GRUB] boot.h: where boot.img has the sector of the core's start, the drive to read, and a jump over a check of that drive. */
const Boot = { kernelSector: 0x5c, drive: 0x64, driveCheck: 0x66 } as const;
/** The drive that the BIOS names, not a fixed one. */
const ANY_DRIVE = 0xff;
/** [GRUB] setup.c replaces the jump on all but floppies: some BIOSes name a drive that is none. */
const NO_OPERATION = 0x90;

/** [MBR] the partition table, behind GRUB's 440 bytes of code. */
const Mbr = { signature: 0x1b8, entries: 0x1be, magic: 0x1fe } as const;
const ACTIVE = 0x80;
const LINUX_PARTITION = 0x83;
/** An address that cylinders, heads and sectors cannot express. */
const NO_CHS = [0xfe, 0xff, 0xff];

/** [GRUB] boot.h: the list of the core's sectors, at the end of its first one, which grows downwards. */
const BlockList = { start: 0x1f4, sectors: 0x1fc, segment: 0x1fe } as const;
/** [GRUB] offsets.h: where the second sector and those after it are loaded: 0x8200, as a real-mode segment. */
const CORE_SEGMENT = 0x820;

/** The disk's first sector, from GRUB's boot.img. */
export function bootRecord(bootImage: Uint8Array, partition: Partition, signature: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.set(bootImage.subarray(0, Mbr.signature));
  sector.writeBigUInt64LE(BigInt(CORE_START), Boot.kernelSector);
  sector[Boot.drive] = ANY_DRIVE;
  sector.fill(NO_OPERATION, Boot.driveCheck, Boot.driveCheck + 2);
  sector.writeUInt32LE(signature, Mbr.signature);
  sector.set([ACTIVE, ...NO_CHS, LINUX_PARTITION, ...NO_CHS], Mbr.entries);
  sector.writeUInt32LE(partition.start, Mbr.entries + 8);
  sector.writeUInt32LE(partition.length, Mbr.entries + 12);
  sector.writeUInt16LE(0xaa55, Mbr.magic);
  return sector;
}

/** The sectors from CORE_START on, from what grub-mkimage made. @throws RangeError when they would reach into the partition */
export function coreSectors(core: Uint8Array, partition: Partition): Buffer {
  const sectors = Math.ceil(core.length / SECTOR);
  if (CORE_START + sectors > partition.start) {
    throw new RangeError(`GRUB's core of ${core.length} bytes does not fit in front of sector ${partition.start}`);
  }
  const placed = Buffer.alloc(sectors * SECTOR);
  placed.set(core);
  placed.writeBigUInt64LE(BigInt(CORE_START + 1), BlockList.start);
  placed.writeUInt16LE(sectors - 1, BlockList.sectors);
  placed.writeUInt16LE(CORE_SEGMENT, BlockList.segment);
  return placed;
}

export interface GrubImage {
  /** [GRUB] `i386-pc` for a disk, `i386-pc-eltorito` for a CD. */
  readonly format: "i386-pc" | "i386-pc-eltorito";
  /** Where its configuration is, in GRUB's words: `(,msdos1)/boot/grub` is on the drive that it was loaded from. */
  readonly prefix: string;
  /** All that it will need: nothing is loaded later. */
  readonly modules: readonly string[];
}

/** Run before the configuration is looked for: from there on GRUB speaks on the serial port alone. */
export const SERIAL_TERMINAL = `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
`;

/** An image of GRUB, made with the tools of a tree that has Debian's grub-common and grub-pc-bin. */
export async function grubImage(tree: string, { format, prefix, modules }: GrubImage): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), "xenolith-grub-"));
  try {
    const early = join(directory, "early.cfg");
    const output = join(directory, "image");
    await writeFile(early, SERIAL_TERMINAL);
    const tool = hostTool({ root: tree }, "usr/bin/grub-mkimage", [
      ...["--directory", grubFile(tree, ""), "--format", format, "--prefix", prefix],
      ...["--config", early, "--output", output, ...modules],
    ]);
    await runHost(tool.file, tool.args);
    return await readFile(output);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** A file of grub-pc-bin in a tree. */
export function grubFile(tree: string, name: string): string {
  return `${tree}/usr/lib/grub/i386-pc/${name}`;
}
