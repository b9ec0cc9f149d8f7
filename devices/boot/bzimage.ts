/**
 * Linux bzImage, by the 64-bit boot protocol, or by the 32-bit one for kernels without a 64-bit entry.
 *
 * [BOOT] Linux Documentation/arch/x86/boot.rst
 * [ZP] Linux Documentation/arch/x86/zero-page.rst
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { Gpa } from "../../shared/brand.js";
import { LOW_RAM_LIMIT, ONE_MIB } from "../../shared/layout.js";
import { hex, imageError, loadImage, readImage } from "./image.js";
import type { ImageSource } from "./image.js";
import { encodeCmdline, putString, takeEntryPages, takePage } from "./boot-data.js";
import type { BootContext, BootState } from "./boot-data.js";
import { enterLong64, enterProtected32 } from "./registers.js";

/** [BOOT] "The Real-Mode Kernel Header": offsets in the file and, by design, in the zero page. */
const Header = {
  setupSects: 0x1f1,
  syssize: 0x1f4,
  bootFlag: 0x1fe,
  /** Second byte of the jump over the header: how far the header goes on behind 0x202. */
  jumpDistance: 0x201,
  magic: 0x202,
  version: 0x206,
  typeOfLoader: 0x210,
  loadflags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  cmdLinePtr: 0x228,
  initrdAddrMax: 0x22c,
  kernelAlignment: 0x230,
  relocatableKernel: 0x234,
  xloadflags: 0x236,
  cmdlineSize: 0x238,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
  setupData: 0x250,
  prefAddress: 0x258,
  initSize: 0x260,
} as const;

/** [ZP] Fields of the zero page outside the setup header. */
const ZeroPage = { acpiRsdpAddr: 0x070, e820Entries: 0x1e8, headerEnd: 0x290, e820Table: 0x2d0 } as const;
const E820_ENTRY_SIZE = 20;

const BOOT_FLAG = 0xaa55;
/** "HdrS". */
const HEADER_MAGIC = 0x5372_6448;
const SECTOR = 512;
/** [BOOT] syssize: paragraphs. */
const SYSSIZE_UNIT = 16;
/** [BOOT] setup_sects: 0 means 4. */
const DEFAULT_SETUP_SECTS = 4;
/** Enough of the file to see the whole header. */
const HEADER_BYTES = 2 * SECTOR;

/** [BOOT] "Loadflags": the protected-mode code is loaded at 1 MiB or above. */
const LOADED_HIGH = 1 << 0;
/** [BOOT] Internal to Linux: whether the kernel's address is random; a loader leaves it clear. */
const KASLR_FLAG = 1 << 1;
/** [BOOT] "Xloadflags". */
const XLF_KERNEL_64 = 1 << 0;
/** [BOOT] "Type of loader": one without an assigned number. */
const LOADER_UNDEFINED = 0xff;
/** [BOOT] "64-bit Boot Protocol": where the 64-bit entry is, from the start of the protected-mode code. */
const ENTRY_64 = 0x200;

/** Protocol versions that brought a field that we use. [BOOT], the table of fields. */
const Version = {
  cmdlineSize: 0x206,
  payload: 0x208,
  setupData: 0x209,
  prefAddress: 0x20a,
  xloadflags: 0x20c,
} as const;

interface SetupHeader {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly version: number;
  readonly is64: boolean;
  /** Where the protected-mode code is in the file, and how long it is, in bytes. */
  readonly codeOffset: number;
  readonly codeLength: number;
}

/** Whether the file is a Linux kernel by its setup header. */
export function isBzImage(start: Uint8Array): boolean {
  if (start.length < Header.version + 2) return false;
  const view = new DataView(start.buffer, start.byteOffset);
  return view.getUint16(Header.bootFlag, true) === BOOT_FLAG && view.getUint32(Header.magic, true) === HEADER_MAGIC;
}

/** Loads the kernel, its initrd and its zero page. @throws VmmError CONFIG when they cannot work */
export function bootBzImage(context: BootContext): BootState {
  const { kernel, memory } = context;
  const header = readHeader(kernel);
  const cmdline = encodeCmdline(context.cmdline);
  const cmdlineMax = header.view.getUint32(Header.cmdlineSize, true);
  if (cmdline.length > cmdlineMax) {
    throw imageError(kernel, `it takes a command line of ${cmdlineMax} bytes, this one has ${cmdline.length}`);
  }

  const load = placeKernel(context, header);
  loadImage(kernel, memory, { offset: header.codeOffset, length: header.codeLength, to: load, what: "the kernel" });
  const zeroPage = takePage(context);
  const cmdlineAt = putString(context, cmdline);
  const pages = takeEntryPages(context);
  const initrd = loadInitrd(context, header);

  memory.write(zeroPage, encodeZeroPage(context, header, { load, cmdlineAt, initrd }));
  return header.is64
    ? { protocol: "linux64", registers: enterLong64(memory, pages, { rip: load + ENTRY_64, rsi: zeroPage }) }
    : { protocol: "linux32", registers: enterProtected32(memory, pages, { rip: load, rsi: zeroPage }) };
}

function readHeader(kernel: ImageSource): SetupHeader {
  const bytes = readImage(kernel, 0, HEADER_BYTES, "its setup header");
  const view = new DataView(bytes.buffer);
  const version = view.getUint16(Header.version, true);
  if (version < Version.cmdlineSize) {
    throw imageError(kernel, `its boot protocol is ${version >> 8}.${pad(version & 0xff)}, 2.06 or newer is needed`);
  }
  if ((view.getUint8(Header.loadflags) & LOADED_HIGH) === 0) {
    throw imageError(kernel, "it is a zImage, which loads below 1 MiB; a bzImage is needed");
  }
  // Loaders such as iPXE call themselves a kernel, but leave out all behind the real-mode code
  if (view.getUint32(Header.code32Start, true) === 0) {
    throw imageError(kernel, "it starts in real mode alone; firmware can boot it, from a disk or CD");
  }
  const headerEnd = Header.magic + view.getUint8(Header.jumpDistance);
  if (headerEnd < fieldsEnd(version)) throw imageError(kernel, `its setup header ends early, at ${hex(headerEnd)}`);

  const codeOffset = ((view.getUint8(Header.setupSects) || DEFAULT_SETUP_SECTS) + 1) * SECTOR;
  const codeLength = kernel.size - codeOffset;
  // Rounded up to whole units, the last of which the file need not fill. Behind a signed kernel there is its signature.
  const declared = view.getUint32(Header.syssize, true) * SYSSIZE_UNIT;
  if (codeLength <= 0 || declared >= codeLength + SYSSIZE_UNIT) {
    const needed = codeOffset + Math.max(declared, 1);
    throw imageError(kernel, `it is truncated: its header announces ${needed} bytes, the file has ${kernel.size}`);
  }
  if (version >= Version.payload) {
    const payloadEnd = view.getUint32(Header.payloadOffset, true) + view.getUint32(Header.payloadLength, true);
    if (payloadEnd > codeLength)
      throw imageError(kernel, "its header puts the compressed kernel behind the end of the file");
  }
  const is64 = version >= Version.xloadflags && (view.getUint16(Header.xloadflags, true) & XLF_KERNEL_64) !== 0;
  return { bytes, view, version, is64, codeOffset, codeLength };
}

/** Where the fields that we read end, by protocol version. */
function fieldsEnd(version: number): number {
  if (version >= Version.prefAddress) return Header.initSize + 4;
  if (version >= Version.setupData) return Header.setupData + 8;
  if (version >= Version.payload) return Header.payloadLength + 4;
  return Header.cmdlineSize + 4;
}

/**
 * Takes the RAM that the kernel runs in until it reads the memory map, and returns the address to load it to.
 *
 * A relocatable kernel goes straight to where it wants to run. Others are loaded to code32_start and move themselves to
 * pref_address. init_size covers the code, the room to decompress it, and the BSS.
 */
function placeKernel(context: BootContext, { view, version, codeLength }: SetupHeader): Gpa {
  const { kernel, placement } = context;
  const code32Start = view.getUint32(Header.code32Start, true);
  let load = code32Start;
  let end = load + codeLength;
  if (version >= Version.prefAddress) {
    const preferred = view.getUint32(Header.prefAddress, true) + view.getUint32(Header.prefAddress + 4, true) * 2 ** 32;
    if (view.getUint8(Header.relocatableKernel) !== 0) {
      load = preferred;
      end = load + codeLength;
    }
    end = Math.max(end, preferred + view.getUint32(Header.initSize, true));
  }
  if (load < ONE_MIB) throw imageError(kernel, `its header asks for ${hex(load)}, below 1 MiB`);
  const problem = placement.claim(load, end - load);
  if (problem === undefined) return load as Gpa;
  throw imageError(kernel, `it needs ${mebibytes(end - load)} at ${hex(load)}, which ${problem}`);
}

interface Initrd {
  readonly at: number;
  readonly size: number;
}

/** The initrd goes as high as the kernel allows, away from where it decompresses itself. */
function loadInitrd(context: BootContext, { view }: SetupHeader): Initrd {
  if (context.initrd === undefined) return { at: 0, size: 0 };
  const image = context.files.open(context.initrd);
  if (image.size === 0) throw imageError(image, "the initrd is empty");
  const limit = Math.min(view.getUint32(Header.initrdAddrMax, true) + 1, LOW_RAM_LIMIT);
  const at = context.placement.takeHighest(image.size, PAGE_SIZE, limit);
  if (at === undefined) {
    throw imageError(image, `the initrd of ${mebibytes(image.size)} does not fit in guest RAM beside the kernel`);
  }
  loadImage(image, context.memory, { offset: 0, length: image.size, to: at, what: "the initrd" });
  return { at, size: image.size };
}

interface Placed {
  readonly load: number;
  readonly cmdlineAt: number;
  readonly initrd: Initrd;
}

function encodeZeroPage(context: BootContext, header: SetupHeader, { load, cmdlineAt, initrd }: Placed): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  const view = new DataView(page.buffer);
  // [BOOT] "64-bit Boot Protocol": zero the page, then copy the header from setup_sects to its end.
  const headerEnd = Math.min(Header.magic + header.view.getUint8(Header.jumpDistance), ZeroPage.headerEnd);
  page.set(header.bytes.subarray(Header.setupSects, headerEnd), Header.setupSects);

  view.setUint8(Header.typeOfLoader, LOADER_UNDEFINED);
  view.setUint8(Header.loadflags, header.view.getUint8(Header.loadflags) & ~KASLR_FLAG);
  view.setUint32(Header.code32Start, load, true);
  view.setUint32(Header.ramdiskImage, initrd.at, true);
  view.setUint32(Header.ramdiskSize, initrd.size, true);
  view.setUint32(Header.cmdLinePtr, cmdlineAt, true);
  if (header.version >= Version.setupData) view.setBigUint64(Header.setupData, 0n, true);

  // Kernels before protocol 2.14 scan the BIOS area instead and ignore this field.
  view.setBigUint64(ZeroPage.acpiRsdpAddr, BigInt(context.rsdp ?? 0), true);
  view.setUint8(ZeroPage.e820Entries, context.e820.length);
  context.e820.forEach(({ base, length, type }, i) => {
    const at = ZeroPage.e820Table + i * E820_ENTRY_SIZE;
    view.setBigUint64(at, BigInt(base), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, type, true);
  });
  return page;
}

function pad(minor: number): string {
  return String(minor).padStart(2, "0");
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / (1024 * 1024))} MiB`;
}
