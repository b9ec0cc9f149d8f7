/**
 * ELF kernels: program headers, notes, and loading by physical address.
 *
 * [ELF] System V ABI, gABI 4.1, chapters 4 and 5
 * [LIBELF] xen.git xen/common/libelf/libelf-dominfo.c, elf_xen_parse()
 */
import type { Gpa } from "../../shared/brand.js";
import { hex, imageError, loadImage, readImage } from "./image.js";
import type { ImageSource } from "./image.js";
import type { BootContext } from "./boot-data.js";

const ELF_MAGIC = 0x464c_457f;
/** [ELF] e_ident. */
const EI_CLASS = 4;
const EI_DATA = 5;
const ELFDATA2LSB = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_386 = 3;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_X = 1;
const SHT_NOTE = 7;
/** sizeof(Elf64_Ehdr), the larger one. */
export const ELF_HEADER_SIZE = 64;
/** Real kernels have fewer than ten. */
const MAX_PROGRAM_HEADERS = 256;
/** Real kernels have some 100, those with a section for each function thousands. */
const MAX_SECTIONS = 4096;
/** Real note segments have a few hundred bytes. */
const MAX_NOTE_BYTES = 64 * 1024;

/** Where the two classes keep the same fields, in bytes. [ELF] figures 4-3 and 5-1 */
interface ElfClass {
  readonly headerSize: number;
  readonly wide: boolean;
  readonly entry: number;
  readonly phoff: number;
  readonly phentsize: number;
  readonly phnum: number;
  readonly programHeaderSize: number;
  readonly shoff: number;
  readonly shentsize: number;
  readonly shnum: number;
  readonly sectionHeaderSize: number;
  readonly p: {
    readonly flags: number;
    readonly offset: number;
    readonly vaddr: number;
    readonly paddr: number;
    readonly filesz: number;
    readonly memsz: number;
    readonly align: number;
  };
  readonly sh: { readonly offset: number; readonly size: number; readonly addralign: number };
}

const CLASS32: ElfClass = {
  headerSize: 52,
  wide: false,
  entry: 24,
  phoff: 28,
  phentsize: 42,
  phnum: 44,
  programHeaderSize: 32,
  shoff: 32,
  shentsize: 46,
  shnum: 48,
  sectionHeaderSize: 40,
  p: { offset: 4, vaddr: 8, paddr: 12, filesz: 16, memsz: 20, flags: 24, align: 28 },
  sh: { offset: 16, size: 20, addralign: 32 },
};
const CLASS64: ElfClass = {
  headerSize: 64,
  wide: true,
  entry: 24,
  phoff: 32,
  phentsize: 54,
  phnum: 56,
  programHeaderSize: 56,
  shoff: 40,
  shentsize: 58,
  shnum: 60,
  sectionHeaderSize: 64,
  p: { flags: 4, offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40, align: 48 },
  sh: { offset: 24, size: 32, addralign: 48 },
};

export interface ElfSegment {
  /** PT_LOAD or PT_NOTE. */
  readonly type: number;
  /** Position among the program headers, for messages. */
  readonly index: number;
  readonly executable: boolean;
  readonly offset: number;
  /** A kernel's virtual addresses need all 64 bits. */
  readonly vaddr: bigint;
  readonly paddr: number;
  readonly fileSize: number;
  readonly memSize: number;
  readonly align: number;
}

export interface Elf {
  /** Of class ELFCLASS64. */
  readonly wide: boolean;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  /** The table of section headers, which nobody has looked at. */
  readonly sections: { readonly offset: number; readonly count: number; readonly stride: number };
}

/** Guest-physical addresses that a kernel takes: `[start, end)`. */
export interface LoadedSpan {
  readonly start: Gpa;
  readonly end: Gpa;
}

export function isElf(start: Uint8Array): boolean {
  return start.length >= 4 && new DataView(start.buffer, start.byteOffset).getUint32(0, true) === ELF_MAGIC;
}

/** Reads the headers of an ELF file. @throws VmmError CONFIG when they are broken, or not for this machine */
export function readElf(image: ImageSource): Elf {
  const header = readImage(
    image,
    0,
    Math.min(ELF_HEADER_SIZE, Math.max(image.size, CLASS32.headerSize)),
    "its ELF header",
  );
  const view = new DataView(header.buffer);
  const layout = header[EI_CLASS] === 1 ? CLASS32 : header[EI_CLASS] === 2 ? CLASS64 : undefined;
  const type = view.getUint16(16, true);
  const machine = view.getUint16(18, true);
  if (layout === undefined || header[EI_DATA] !== ELFDATA2LSB || (machine !== EM_386 && machine !== EM_X86_64)) {
    throw imageError(image, `it is an ELF file for another machine (${machine})`);
  }
  if (header.length < layout.headerSize) throw imageError(image, "it is truncated inside its ELF header");
  if (type !== ET_EXEC && type !== ET_DYN)
    throw imageError(image, `it is an ELF file of type ${type}, not an executable`);

  const count = view.getUint16(layout.phnum, true);
  const stride = view.getUint16(layout.phentsize, true);
  if (count === 0 || count > MAX_PROGRAM_HEADERS) {
    throw imageError(image, `it has ${count} program headers; 1 to ${MAX_PROGRAM_HEADERS} are possible`);
  }
  if (stride < layout.programHeaderSize) throw imageError(image, `its program headers have only ${stride} bytes each`);
  const table = readImage(image, word(view, layout, layout.phoff), count * stride, "its program header table");
  const rows = new DataView(table.buffer);
  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const row = new DataView(rows.buffer, index * stride, layout.programHeaderSize);
    const segmentType = row.getUint32(0, true);
    if (segmentType !== PT_LOAD && segmentType !== PT_NOTE) continue;
    segments.push({
      type: segmentType,
      index,
      executable: (row.getUint32(layout.p.flags, true) & PF_X) !== 0,
      offset: word(row, layout, layout.p.offset),
      vaddr: layout.wide ? row.getBigUint64(layout.p.vaddr, true) : BigInt(row.getUint32(layout.p.vaddr, true)),
      paddr: word(row, layout, layout.p.paddr),
      fileSize: word(row, layout, layout.p.filesz),
      memSize: word(row, layout, layout.p.memsz),
      align: word(row, layout, layout.p.align),
    });
  }
  const entry = layout.wide ? view.getBigUint64(layout.entry, true) : BigInt(view.getUint32(layout.entry, true));
  const sections = {
    offset: word(view, layout, layout.shoff),
    count: view.getUint16(layout.shnum, true),
    stride: view.getUint16(layout.shentsize, true),
  };
  return { wide: layout.wide, entry, segments, sections };
}

/** Loads all segments to their physical addresses, clears what the file does not fill, and returns what they span. */
export function loadElf({ kernel, memory, placement }: BootContext, elf: Elf): LoadedSpan {
  let start = Infinity;
  let end = 0;
  for (const segment of loadable(elf)) {
    const { index, paddr, fileSize, memSize, offset } = segment;
    const what = `segment ${index}`;
    if (memSize < fileSize) throw imageError(kernel, `${what} is larger in the file than in memory`);
    const problem = placement.claim(paddr, memSize);
    if (problem !== undefined) {
      throw imageError(kernel, `${what} (${hex(memSize)} bytes at ${hex(paddr)}) ${problem}`);
    }
    loadImage(kernel, memory, { offset, length: fileSize, to: paddr, what });
    memory.fill(paddr + fileSize, memSize - fileSize, 0);
    start = Math.min(start, paddr);
    end = Math.max(end, paddr + memSize);
  }
  if (end === 0) throw imageError(kernel, "it has nothing to load");
  return { start: start as Gpa, end: end as Gpa };
}

/** The entry point as a physical address: kernels that run at high addresses give a virtual one. */
export function physicalEntry(elf: Elf): number {
  for (const { executable, vaddr, paddr, fileSize } of loadable(elf)) {
    const distance = elf.entry - vaddr;
    if (executable && distance >= 0n && distance < BigInt(fileSize)) return paddr + Number(distance);
  }
  return Number(elf.entry);
}

/** Whether an address is in what the file brings (not in zero-filled memory). */
export function holdsCode(elf: Elf, address: number): boolean {
  return loadable(elf).some(({ paddr, fileSize }) => address >= paddr && address < paddr + fileSize);
}

/** The descriptor of the first note `type` by `owner`, or undefined. [LIBELF] Segments come before sections. */
export function findNote(image: ImageSource, elf: Elf, owner: string, type: number): DataView | undefined {
  for (const segment of elf.segments) {
    if (segment.type !== PT_NOTE) continue;
    const what = `note segment ${segment.index}`;
    if (segment.fileSize > MAX_NOTE_BYTES) throw imageError(image, `${what} has ${segment.fileSize} bytes`);
    const notes = readImage(image, segment.offset, segment.fileSize, what);
    const found = searchNotes(notes, segment.align, owner, type);
    if (found !== undefined) return found;
  }
  return findNoteInSections(image, elf, owner, type);
}

/** A file that was linked without a note segment still has the sections. Broken ones are none: nothing else needs them. */
function findNoteInSections(image: ImageSource, elf: Elf, owner: string, type: number): DataView | undefined {
  const layout = elf.wide ? CLASS64 : CLASS32;
  const { offset, count, stride } = elf.sections;
  if (count > MAX_SECTIONS || stride < layout.sectionHeaderSize || offset + count * stride > image.size)
    return undefined;
  const table = readImage(image, offset, count * stride, "its section header table");
  for (let index = 0; index < count; index++) {
    const row = new DataView(table.buffer, index * stride, layout.sectionHeaderSize);
    const start = word(row, layout, layout.sh.offset);
    const size = word(row, layout, layout.sh.size);
    if (row.getUint32(4, true) !== SHT_NOTE || size > MAX_NOTE_BYTES || start + size > image.size) continue;
    const notes = readImage(image, start, size, `note section ${index}`);
    const found = searchNotes(notes, word(row, layout, layout.sh.addralign), owner, type);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `declared` is the alignment of the segment or section. */
function searchNotes(
  notes: Uint8Array<ArrayBuffer>,
  declared: number,
  owner: string,
  type: number,
): DataView | undefined {
  // Notes are padded to 4 bytes, or to 8 where that is declared, whatever the class.
  const align = declared === 8 ? 8 : 4;
  const view = new DataView(notes.buffer);
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = view.getUint32(at, true);
    const descriptorSize = view.getUint32(at + 4, true);
    const noteType = view.getUint32(at + 8, true);
    const descriptor = at + roundUp(12 + nameSize, align);
    const next = descriptor + roundUp(descriptorSize, align);
    if (descriptor + descriptorSize > notes.length) return undefined;
    if (noteType === type && nameIs(notes.subarray(at + 12, at + 12 + nameSize), owner)) {
      return new DataView(notes.buffer, descriptor, descriptorSize);
    }
    at = next;
  }
  return undefined;
}

/** The name counts its terminating zero. */
function nameIs(bytes: Uint8Array, name: string): boolean {
  if (bytes.length !== name.length + 1 || bytes[name.length] !== 0) return false;
  return Array.from(name).every((char, i) => char.charCodeAt(0) === bytes[i]);
}

function loadable(elf: Elf): readonly ElfSegment[] {
  return elf.segments.filter(({ type, memSize, fileSize }) => type === PT_LOAD && (memSize > 0 || fileSize > 0));
}

/** A word of the file's class as a number: rounded above 2^53, where it is out of every range anyway. */
function word(view: DataView, layout: ElfClass, offset: number): number {
  if (!layout.wide) return view.getUint32(offset, true);
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
}

function roundUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}
