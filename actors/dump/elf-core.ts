/**
 * The layout of a memory dump: an ELF core file, headers and notes first, then each run of guest memory at a page's
 * boundary.
 *
 * [ELF] System V Application Binary Interface, chapters 4 and 5, with fields of 64 bits
 */

const ELF_HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const PAGE = 4096;

// [ELF] e_ident, e_type, e_machine, p_type, p_flags.
const ELF64_LITTLE_ENDIAN: readonly number[] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];
const ET_CORE = 4;
const EM_X86_64 = 62;
const EV_CURRENT = 1;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_RWX = 7;

/** A run of guest-physical memory, in bytes. */
export interface MemoryRun {
  readonly gpa: number;
  readonly size: number;
}

export interface CoreLayout {
  /** The file's beginning: ELF header, program headers, notes. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** Where each run's bytes go in the file. */
  readonly offsets: readonly number[];
  /** Of the whole file, in bytes. */
  readonly size: number;
}

/** A core file with `notes` and one PT_LOAD for each run. */
export function coreLayout(notes: Uint8Array, runs: readonly MemoryRun[]): CoreLayout {
  const notesAt = ELF_HEADER_SIZE + (1 + runs.length) * PROGRAM_HEADER_SIZE;
  const head = new Uint8Array(notesAt + notes.length);
  const view = new DataView(head.buffer);
  writeElfHeader(head, view, 1 + runs.length);
  writeProgramHeader(view, 0, { type: PT_NOTE, flags: 0, offset: notesAt, address: 0, size: notes.length, align: 4 });
  head.set(notes, notesAt);
  let next = pageAligned(head.length);
  const offsets = runs.map(({ gpa, size }, i) => {
    const offset = next;
    next = pageAligned(offset + size);
    writeProgramHeader(view, 1 + i, { type: PT_LOAD, flags: PF_RWX, offset, address: gpa, size, align: PAGE });
    return offset;
  });
  return { head, offsets, size: next };
}

function pageAligned(offset: number): number {
  return Math.ceil(offset / PAGE) * PAGE;
}

function writeElfHeader(head: Uint8Array, view: DataView, programHeaders: number): void {
  head.set(ELF64_LITTLE_ENDIAN);
  view.setUint16(16, ET_CORE, true);
  view.setUint16(18, EM_X86_64, true);
  view.setUint32(20, EV_CURRENT, true);
  view.setBigUint64(32, BigInt(ELF_HEADER_SIZE), true);
  view.setUint16(52, ELF_HEADER_SIZE, true);
  view.setUint16(54, PROGRAM_HEADER_SIZE, true);
  view.setUint16(56, programHeaders, true);
}

interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  /** Physical, and for debuggers the virtual one too: without the guest's page tables there is no other. */
  readonly address: number;
  readonly size: number;
  readonly align: number;
}

function writeProgramHeader(view: DataView, index: number, header: ProgramHeader): void {
  const at = ELF_HEADER_SIZE + index * PROGRAM_HEADER_SIZE;
  view.setUint32(at, header.type, true);
  view.setUint32(at + 4, header.flags, true);
  const { offset, address, size, align } = header;
  const memorySize = header.type === PT_NOTE ? 0 : size;
  [offset, address, address, size, memorySize, align].forEach((value, i) => {
    view.setBigUint64(at + 8 + i * 8, BigInt(value), true);
  });
}
