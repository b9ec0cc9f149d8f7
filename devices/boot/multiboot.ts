/**
 * Multiboot 1 kernels: ELF files, or flat ones whose header says where they go (the "a.out kludge").
 *
 * [MB] Multiboot Specification 0.6.96, section 3
 */
import type { Gpa } from "../../shared/brand.js";
import { E820, ONE_MIB } from "../../shared/layout.js";
import { bytes, struct, u32, u64n4 } from "../../shared/struct.js";
import { hex, imageError, loadImage } from "./image.js";
import { holdsCode, loadElf, physicalEntry, readElf } from "./elf.js";
import { encodeCmdline, putBytes, putString, takeEntryPages } from "./boot-data.js";
import type { BootContext, BootState } from "./boot-data.js";
import { loadModules } from "./modules.js";
import { enterProtected32 } from "./registers.js";

/** [MB] 3.1: the header lies in the first 8192 bytes, 4-byte aligned. */
export const MULTIBOOT_SEARCH = 8192;
const HEADER_MAGIC = 0x1bad_b002;
/** [MB] 3.2: what the kernel finds in EAX. */
const BOOTLOADER_MAGIC = 0x2bad_b002;

/** [MB] 3.1.2: header flags. Those among the low 16 that a loader does not know must stop it. */
const HeaderFlag = { pageAlign: 1 << 0, memoryInfo: 1 << 1, videoMode: 1 << 2, addresses: 1 << 16 } as const;
const REQUIRED_FLAGS = 0xffff;
/** Video modes are a wish: the kernel learns from the missing info flags that there is none. */
const KNOWN_FLAGS = HeaderFlag.pageAlign | HeaderFlag.memoryInfo | HeaderFlag.videoMode;

/** [MB] 3.3: which fields of the information structure are valid. */
const InfoFlag = { memory: 1 << 0, cmdline: 1 << 2, modules: 1 << 3, memoryMap: 1 << 6, loaderName: 1 << 9 } as const;

const multibootInfo = struct("multiboot_info", 116, () => ({
  flags: u32,
  memLower: u32,
  memUpper: u32,
  bootDevice: u32,
  cmdline: u32,
  modsCount: u32,
  modsAddr: u32,
  symbols: bytes(16, 4),
  mmapLength: u32,
  mmapAddr: u32,
  drivesLength: u32,
  drivesAddr: u32,
  configTable: u32,
  bootLoaderName: u32,
  apmTable: u32,
  video: bytes(44),
}));
const moduleEntry = struct("multiboot_mod_list", 16, () => ({ start: u32, end: u32, cmdline: u32, pad: u32 }));
/** `size` counts what follows itself. */
const mmapEntry = struct("multiboot_mmap_entry", 24, () => ({ size: u32, addr: u64n4, len: u64n4, type: u32 }));

const LOADER_NAME = "xenolith";
/** [MB] 3.3: the largest value of mem_lower, in KiB. */
const MEM_LOWER_KIB = 640;

export interface MultibootHeader {
  /** Where in the file the header is, in bytes. */
  readonly offset: number;
  readonly flags: number;
  /** [MB] 3.1.3, when the flags say that they are there. */
  readonly addresses: MultibootAddresses | undefined;
}

export interface MultibootAddresses {
  readonly header: number;
  readonly load: number;
  /** 0: to the end of the file. */
  readonly loadEnd: number;
  /** 0: no BSS. */
  readonly bssEnd: number;
  readonly entry: number;
}

/** Finds a multiboot header with a good checksum in the first 8 KiB of a file. */
export function findMultiboot(start: Uint8Array): MultibootHeader | undefined {
  const view = new DataView(start.buffer, start.byteOffset, Math.min(start.length, MULTIBOOT_SEARCH));
  for (let offset = 0; offset + 12 <= view.byteLength; offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    if ((HEADER_MAGIC + flags + view.getUint32(offset + 8, true)) >>> 0 !== 0) continue;
    if ((flags & HeaderFlag.addresses) === 0) return { offset, flags, addresses: undefined };
    if (offset + 32 > view.byteLength) continue;
    const addresses = {
      header: view.getUint32(offset + 12, true),
      load: view.getUint32(offset + 16, true),
      loadEnd: view.getUint32(offset + 20, true),
      bssEnd: view.getUint32(offset + 24, true),
      entry: view.getUint32(offset + 28, true),
    };
    return { offset, flags, addresses };
  }
  return undefined;
}

/** Loads the kernel and its modules. @throws VmmError CONFIG when they cannot work */
export function bootMultiboot(context: BootContext, header: MultibootHeader): BootState {
  const { kernel, memory } = context;
  const unknown = header.flags & REQUIRED_FLAGS & ~KNOWN_FLAGS;
  if (unknown !== 0) throw imageError(kernel, `its multiboot header requires unknown features (flags ${hex(unknown)})`);
  const { entry, end } =
    header.addresses === undefined ? loadElfKernel(context) : loadFlat(context, header.offset, header.addresses);
  const pages = takeEntryPages(context);
  const info = putBytes(context, encodeInfo(context, Math.max(end, ONE_MIB)));
  return {
    protocol: "multiboot",
    registers: enterProtected32(memory, pages, { rip: entry, rax: BOOTLOADER_MAGIC, rbx: info }),
  };
}

interface LoadedKernel {
  readonly entry: number;
  /** First address behind the kernel. */
  readonly end: Gpa;
}

function loadElfKernel(context: BootContext): LoadedKernel {
  const { kernel } = context;
  const elf = readElf(kernel);
  const entry = physicalEntry(elf);
  if (!holdsCode(elf, entry)) throw imageError(kernel, `its entry point ${hex(elf.entry)} is outside of its segments`);
  return { entry, end: loadElf(context, elf).end };
}

/** [MB] 3.1.3: the header's own address tells which byte of the file goes to load_addr. */
function loadFlat(context: BootContext, headerOffset: number, addresses: MultibootAddresses): LoadedKernel {
  const { kernel, memory, placement } = context;
  const { header, load, loadEnd, bssEnd, entry } = addresses;
  const offset = headerOffset - (header - load);
  if (load > header || offset < 0)
    throw imageError(kernel, "its multiboot header has a load address that does not fit its own");
  const length = loadEnd === 0 ? kernel.size - offset : loadEnd - load;
  if (length <= 0) throw imageError(kernel, "its multiboot header ends the kernel before it starts");
  const end = bssEnd === 0 ? load + length : bssEnd;
  if (end < load + length) throw imageError(kernel, "its multiboot header ends the BSS inside the kernel");
  if (entry < load || entry >= load + length)
    throw imageError(kernel, `its entry point ${hex(entry)} is outside of it`);
  const problem = placement.claim(load, end - load);
  if (problem !== undefined)
    throw imageError(kernel, `the kernel (${hex(end - load)} bytes at ${hex(load)}) ${problem}`);
  loadImage(kernel, memory, { offset, length, to: load, what: "the kernel" });
  memory.fill(load + length, end - load - length, 0);
  return { entry, end: end as Gpa };
}

function encodeInfo(context: BootContext, modulesFrom: number): Uint8Array {
  const infoBytes = new Uint8Array(multibootInfo.size);
  const info = multibootInfo.view(infoBytes.buffer);
  info.flags = InfoFlag.memory | InfoFlag.cmdline | InfoFlag.modules | InfoFlag.memoryMap | InfoFlag.loaderName;
  const ram = context.e820.filter(({ type }) => type === E820.ram);
  info.memLower = Math.min(MEM_LOWER_KIB, (ram.find(({ base }) => base === 0)?.length ?? 0) >>> 10);
  info.memUpper = Math.floor((ram.find(({ base }) => base === ONE_MIB)?.length ?? 0) / 1024);
  info.cmdline = putString(context, encodeCmdline(withName(context.kernel.name, context.cmdline)));
  info.bootLoaderName = putString(context, encodeCmdline(LOADER_NAME));
  const mmap = encodeMmap(context);
  info.mmapAddr = putBytes(context, mmap);
  info.mmapLength = mmap.length;
  const modules = loadModules(context, modulesFrom);
  info.modsCount = modules.length;
  if (modules.length === 0) return infoBytes;
  const list = new Uint8Array(modules.length * moduleEntry.size);
  const row = moduleEntry.view(list.buffer);
  modules.forEach(({ at, size, path, args }, i) => {
    row.at(i * moduleEntry.size);
    row.start = at;
    row.end = at + size;
    row.cmdline = putString(context, encodeCmdline(withName(path, args)));
  });
  info.modsAddr = putBytes(context, list);
  return infoBytes;
}

function encodeMmap({ e820 }: BootContext): Uint8Array {
  const map = new Uint8Array(e820.length * mmapEntry.size);
  const row = mmapEntry.view(map.buffer);
  e820.forEach(({ base, length, type }, i) => {
    row.at(i * mmapEntry.size);
    row.size = mmapEntry.size - 4;
    row.addr = base;
    row.len = length;
    row.type = type;
  });
  return map;
}

/** By custom, a command line starts with the name of what it is for. */
function withName(name: string, args: string): string {
  return args === "" ? name : `${name} ${args}`;
}
