/** Boot images made byte by byte, and the small machine that the boot specs load them into. */
import type { ImageFiles } from "../../../devices/boot/image.js";
import { imageOf } from "../../../devices/boot/image.js";
import type { BootConfig } from "../../../devices/boot/load.js";
import { gpa } from "../../../shared/brand.js";
import { VmmError } from "../../../shared/errors.js";
import { GuestMemory, MemoryRegion } from "../../../shared/memory.js";

export const MIB = 1024 * 1024;
/** Bytes on either side of guest RAM that nothing may touch. */
const GUARD = 64 * 1024;
const GUARD_BYTE = 0xa5;

export class SmallMachine {
  readonly ramBytes: number;
  readonly memory: GuestMemory;
  readonly ram: MemoryRegion;
  readonly #buffer: SharedArrayBuffer;

  constructor(ramBytes = 4 * MIB) {
    this.ramBytes = ramBytes;
    this.#buffer = new SharedArrayBuffer(ramBytes + 2 * GUARD);
    new Uint8Array(this.#buffer).fill(GUARD_BYTE);
    this.ram = new MemoryRegion(gpa(0), ramBytes, this.#buffer, GUARD);
    this.ram.bytes.fill(0xee);
    this.memory = new GuestMemory([this.ram]);
  }

  /** Whether the bytes around guest RAM, and the video memory in it, are as they were. */
  get intact(): boolean {
    const outside = Buffer.alloc(GUARD, GUARD_BYTE);
    const video = Buffer.alloc(0x4_0000, 0xee);
    return (
      outside.equals(new Uint8Array(this.#buffer, 0, GUARD)) &&
      outside.equals(new Uint8Array(this.#buffer, GUARD + this.ramBytes)) &&
      video.equals(this.ram.bytes.subarray(0xa_0000, 0xe_0000))
    );
  }

  bytes(at: number, length: number): number[] {
    return [...this.ram.bytes.subarray(at, at + length)];
  }

  u8(at: number): number {
    return this.ram.view.getUint8(at);
  }

  u16(at: number): number {
    return this.ram.view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.ram.view.getUint32(at, true);
  }

  u64(at: number): number {
    return Number(this.ram.view.getBigUint64(at, true));
  }

  /** The zero-terminated string at `at`. */
  text(at: number): string {
    const end = this.ram.bytes.indexOf(0, at);
    return String.fromCharCode(...this.ram.bytes.subarray(at, end));
  }

  /** What to boot: `files` by name, of which "kernel" is the kernel. */
  config(files: Readonly<Record<string, Uint8Array>>, options: Partial<BootConfig> = {}): BootConfig {
    return {
      memory: this.memory,
      ramBytes: this.ramBytes,
      files: filesOf(files),
      kernel: "kernel",
      initrd: undefined,
      cmdline: "",
      acpi: undefined,
      smbios: undefined,
      apicIds: [0],
      serialPorts: [0],
      ...options,
    };
  }
}

function filesOf(files: Readonly<Record<string, Uint8Array>>): ImageFiles {
  return {
    open(path) {
      const bytes = files[path];
      if (bytes === undefined) throw new VmmError("CONFIG", `Cannot open ${path}`);
      return imageOf(path, bytes);
    },
  };
}

/** A predicate for assert.throws: a configuration error of one line that names the file and matches. */
export function refusal(file: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof VmmError &&
    error.code === "CONFIG" &&
    error.message.startsWith(`Cannot boot ${file}: `) &&
    !error.message.includes("\n") &&
    pattern.test(error.message);
}

export interface BzImageFields {
  readonly version?: number;
  readonly setupSects?: number;
  readonly loadflags?: number;
  readonly xloadflags?: number;
  readonly cmdlineSize?: number;
  readonly initrdAddrMax?: number;
  readonly relocatable?: number;
  readonly prefAddress?: number;
  readonly initSize?: number;
  readonly payloadLength?: number;
  readonly syssize?: number;
  readonly code32Start?: number;
  /** Bytes of protected-mode code, filled with 0xcc. */
  readonly codeLength?: number;
}

/** A bzImage of boot protocol 2.15 with one sector of setup code, Documentation/arch/x86/boot.rst. */
export function makeBzImage(fields: BzImageFields = {}): Uint8Array<ArrayBuffer> {
  const setupSects = fields.setupSects ?? 1;
  const codeLength = fields.codeLength ?? 0x1000;
  const image = new Uint8Array((setupSects + 1) * 512 + codeLength).fill(0xcc, (setupSects + 1) * 512);
  const view = new DataView(image.buffer);
  view.setUint8(0x1f1, setupSects);
  view.setUint32(0x1f4, fields.syssize ?? codeLength / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x200, 0xeb);
  view.setUint8(0x201, 0x66); // The header ends at 0x268.
  image.set([0x48, 0x64, 0x72, 0x53], 0x202);
  view.setUint16(0x206, fields.version ?? 0x20f, true);
  view.setUint8(0x211, fields.loadflags ?? 0x01);
  view.setUint32(0x214, fields.code32Start ?? 0x10_0000, true);
  view.setUint32(0x22c, fields.initrdAddrMax ?? 0x7fff_ffff, true);
  view.setUint32(0x230, 0x20_0000, true);
  view.setUint8(0x234, fields.relocatable ?? 1);
  view.setUint16(0x236, fields.xloadflags ?? 0x7f, true);
  view.setUint32(0x238, fields.cmdlineSize ?? 2047, true);
  view.setUint32(0x248, 0x100, true);
  view.setUint32(0x24c, fields.payloadLength ?? 0x800, true);
  view.setBigUint64(0x250, 0x1234n, true);
  view.setBigUint64(0x258, BigInt(fields.prefAddress ?? 0x10_0000), true);
  view.setUint32(0x260, fields.initSize ?? 0x10_0000, true);
  return image;
}

export interface ElfProgramHeader {
  readonly type?: number;
  readonly flags?: number;
  readonly offset?: number;
  readonly vaddr?: bigint;
  readonly paddr?: bigint;
  readonly filesz?: bigint;
  readonly memsz?: bigint;
  readonly align?: bigint;
}

export interface ElfFields {
  readonly wide?: boolean;
  readonly entry?: bigint;
  readonly machine?: number;
  readonly phnum?: number;
  readonly phentsize?: number;
  readonly headers?: readonly ElfProgramHeader[];
  /** What is in the file from 0x1000 on. */
  readonly content?: Uint8Array;
}

/** Where makeElf puts its content. */
export const ELF_CONTENT = 0x1000;

/** An ELF executable; by default one segment of 0x100 bytes at 1 MiB with 0x100 bytes of BSS. */
export function makeElf(fields: ElfFields = {}): Uint8Array<ArrayBuffer> {
  const wide = fields.wide ?? true;
  const content = fields.content ?? new Uint8Array(0x200).fill(0x90);
  const headers = fields.headers ?? [{}];
  const image = new Uint8Array(ELF_CONTENT + content.length);
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, fields.machine ?? (wide ? 62 : 3), true);
  const word = wide
    ? (at: number, value: bigint): void => {
        view.setBigUint64(at, value, true);
      }
    : (at: number, value: bigint): void => {
        view.setUint32(at, Number(value), true);
      };
  const size = wide ? 56 : 32;
  const table = wide ? 64 : 52;
  word(24, fields.entry ?? 0x10_0000n);
  word(wide ? 32 : 28, BigInt(table));
  view.setUint16(wide ? 54 : 42, fields.phentsize ?? size, true);
  view.setUint16(wide ? 56 : 44, fields.phnum ?? headers.length, true);
  headers.forEach((header, i) => {
    const at = table + i * size;
    view.setUint32(at, header.type ?? 1, true);
    view.setUint32(at + (wide ? 4 : 24), header.flags ?? 5, true);
    const [offset, vaddr, paddr, filesz, memsz, align] = wide ? [8, 16, 24, 32, 40, 48] : [4, 8, 12, 16, 20, 28];
    word(at + offset, BigInt(header.offset ?? ELF_CONTENT));
    word(at + vaddr, header.vaddr ?? 0x10_0000n);
    word(at + paddr, header.paddr ?? 0x10_0000n);
    word(at + filesz, header.filesz ?? 0x100n);
    word(at + memsz, header.memsz ?? 0x200n);
    word(at + align, header.align ?? 4n);
  });
  image.set(content, ELF_CONTENT);
  return image;
}

/** An ELF note: sizes, type, name and descriptor, each padded to 4 bytes. */
export function makeNote(name: string, type: number, descriptor: readonly number[]): Uint8Array {
  const nameRoom = Math.ceil((name.length + 1) / 4) * 4;
  const note = new Uint8Array(12 + nameRoom + Math.ceil(descriptor.length / 4) * 4);
  const view = new DataView(note.buffer);
  view.setUint32(0, name.length + 1, true);
  view.setUint32(4, descriptor.length, true);
  view.setUint32(8, type, true);
  note.set(new TextEncoder().encode(name), 12);
  note.set(descriptor, 12 + nameRoom);
  return note;
}

/** An ELF kernel with notes: code at 1 MiB, the notes 0x100 bytes behind it in the file. */
export function makePvhKernel(note: Uint8Array = PVH_NOTE, fields: ElfFields = {}): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(0x100 + note.length).fill(0x90, 0, 0x100);
  content.set(note, 0x100);
  const notes = { type: 4, offset: ELF_CONTENT + 0x100, filesz: BigInt(note.length), memsz: BigInt(note.length) };
  return makeElf({ content, headers: [{}, notes], ...fields });
}

/** XEN_ELFNOTE_PHYS32_ENTRY (18) with the entry 0x100010, as a 64-bit kernel writes it. */
export const PVH_NOTE = makeNote("Xen", 18, [0x10, 0x00, 0x10, 0, 0, 0, 0, 0]);

export interface MultibootFields {
  readonly flags?: number;
  readonly checksum?: number;
  readonly header?: number;
  readonly load?: number;
  readonly loadEnd?: number;
  readonly bssEnd?: number;
  readonly entry?: number;
}

/** A multiboot header, Multiboot Specification 3.1. */
export function makeMultibootHeader(fields: MultibootFields = {}): Uint8Array {
  const header = new Uint8Array(32);
  const view = new DataView(header.buffer);
  const flags = fields.flags ?? 0x1_0003;
  view.setUint32(0, 0x1bad_b002, true);
  view.setUint32(4, flags, true);
  view.setUint32(8, fields.checksum ?? -(0x1bad_b002 + flags), true);
  view.setUint32(12, fields.header ?? 0x10_0010, true);
  view.setUint32(16, fields.load ?? 0x10_0000, true);
  view.setUint32(20, fields.loadEnd ?? 0x10_0100, true);
  view.setUint32(24, fields.bssEnd ?? 0x10_0200, true);
  view.setUint32(28, fields.entry ?? 0x10_0040, true);
  return header;
}

/** A flat multiboot kernel of 0x300 bytes of 0x90 with its header at 0x30; load_addr is byte 0x20 of the file. */
export function makeFlatKernel(fields: MultibootFields = {}): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(0x300).fill(0x90);
  image.set(makeMultibootHeader(fields), 0x30);
  return image;
}
