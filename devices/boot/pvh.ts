/**
 * PVH entry: an ELF kernel with Xen's note for a 32-bit physical entry point, given an hvm_start_info.
 *
 * [PVH] xen.git docs/misc/pvh.pandoc
 * [START] xen.git xen/include/public/arch-x86/hvm/start_info.h
 * [NOTE] xen.git xen/include/public/elfnote.h
 */
import { struct, u32, u64n } from "../../shared/struct.js";
import { ONE_MIB } from "../../shared/layout.js";
import { hex, imageError } from "./image.js";
import { findNote, holdsCode, loadElf } from "./elf.js";
import type { Elf } from "./elf.js";
import { encodeCmdline, putBytes, putString, takeEntryPages } from "./boot-data.js";
import type { BootContext, BootState } from "./boot-data.js";
import { loadModules } from "./modules.js";
import { enterProtected32 } from "./registers.js";

/** [NOTE] XEN_ELFNOTE_PHYS32_ENTRY. */
const PHYS32_ENTRY = 18;
/** [START] XEN_HVM_START_MAGIC_VALUE. */
const START_MAGIC = 0x336e_c578;
/** [START] The version with a memory map. */
const START_VERSION = 1;

const startInfo = struct("hvm_start_info", 56, () => ({
  magic: u32,
  version: u32,
  flags: u32,
  nrModules: u32,
  modlistPaddr: u64n,
  cmdlinePaddr: u64n,
  rsdpPaddr: u64n,
  memmapPaddr: u64n,
  memmapEntries: u32,
  reserved: u32,
}));
const modlistEntry = struct("hvm_modlist_entry", 32, () => ({
  paddr: u64n,
  size: u64n,
  cmdlinePaddr: u64n,
  reserved: u64n,
}));
const memmapEntry = struct("hvm_memmap_table_entry", 24, () => ({ addr: u64n, size: u64n, type: u32, reserved: u32 }));

/** The kernel's PVH entry point, or undefined when it has none. @throws VmmError CONFIG when the note is broken */
export function pvhEntry(context: BootContext, elf: Elf): number | undefined {
  const note = findNote(context.kernel, elf, "Xen", PHYS32_ENTRY);
  if (note === undefined) return undefined;
  // 4 or 8 bytes: a kernel writes it with its own pointer size.
  if (note.byteLength < 4) throw imageError(context.kernel, `its PVH note has ${note.byteLength} bytes`);
  const high = note.byteLength >= 8 ? note.getUint32(4, true) : 0;
  const entry = note.getUint32(0, true);
  if (high !== 0 || !holdsCode(elf, entry)) {
    throw imageError(context.kernel, `its PVH entry ${hex(entry + high * 2 ** 32)} is outside of its segments`);
  }
  return entry;
}

/** Loads the kernel and its modules. @throws VmmError CONFIG when they cannot work */
export function bootPvh(context: BootContext, elf: Elf, entry: number): BootState {
  const { memory } = context;
  const span = loadElf(context, elf);
  const pages = takeEntryPages(context);
  const info = encodeStartInfo(context, Math.max(span.end, ONE_MIB));
  const start = putBytes(context, info);
  return { protocol: "pvh", registers: enterProtected32(memory, pages, { rip: entry, rbx: start }) };
}

function encodeStartInfo(context: BootContext, modulesFrom: number): Uint8Array {
  const bytes = new Uint8Array(startInfo.size);
  const info = startInfo.view(bytes.buffer);
  info.magic = START_MAGIC;
  info.version = START_VERSION;
  info.cmdlinePaddr = putString(context, encodeCmdline(context.cmdline));
  info.rsdpPaddr = context.rsdp ?? 0;
  info.memmapPaddr = putBytes(context, encodeMemmap(context));
  info.memmapEntries = context.e820.length;
  // Modules last, so that the small structures find their place below 1 MiB.
  const modules = loadModules(context, modulesFrom);
  if (modules.length === 0) return bytes;
  const list = new Uint8Array(modules.length * modlistEntry.size);
  const row = modlistEntry.view(list.buffer);
  modules.forEach(({ at, size, args }, i) => {
    row.at(i * modlistEntry.size);
    row.paddr = at;
    row.size = size;
    row.cmdlinePaddr = args === "" ? 0 : putString(context, encodeCmdline(args));
  });
  info.nrModules = modules.length;
  info.modlistPaddr = putBytes(context, list);
  return bytes;
}

/** [START] Types are those of e820. */
function encodeMemmap({ e820 }: BootContext): Uint8Array {
  const bytes = new Uint8Array(e820.length * memmapEntry.size);
  const row = memmapEntry.view(bytes.buffer);
  e820.forEach(({ base, length, type }, i) => {
    row.at(i * memmapEntry.size);
    row.addr = base;
    row.size = length;
    row.type = type;
  });
  return bytes;
}
