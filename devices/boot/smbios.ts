/**
 * SMBIOS: what machine this is, for whoever asks by DMI. The tables of a direct boot and of firmware, which adds a BIOS of its own.
 *
 * [SMBIOS] DSP0134, System Management BIOS Reference Specification, 2.8.0
 */

export interface SmbiosConfig {
  /** `major << 16 | minor`; 0 without Xen. */
  readonly xenVersion: number;
  /** Its bytes in the order of its digits. */
  readonly uuid: Uint8Array;
  readonly sockets: number;
  readonly coresPerSocket: number;
  readonly threadsPerCore: number;
  /** Below 4 GiB and from there on. */
  readonly lowRamBytes: number;
  readonly highRamBytes: number;
}

export interface Smbios {
  /** The entry point, whose table address is still 0 and its checksums are not made. */
  readonly anchor: Uint8Array;
  readonly tables: Uint8Array;
}

/** [SMBIOS] 5.2.1, offsets into the 32-bit entry point. */
const Anchor = {
  checksum: 4,
  length: 5,
  version: 6,
  maxStructure: 8,
  intermediate: 16,
  intermediateChecksum: 21,
  tableLength: 22,
  tableAddress: 24,
  structures: 28,
  bcdRevision: 30,
  size: 31,
} as const;
const VERSION = { major: 2, minor: 8, bcd: 0x28 } as const;

/** [SMBIOS] 6.1: handles are ours to choose; types in the high byte. */
const handle = (type: number, index = 0): number => type * 0x100 + index;
/** [SMBIOS] 7.17.5, 7.5.3, 7.18: no error information, no cache, width unknown. */
const NO_ERROR_INFORMATION = 0xfffe;
const NONE = 0xffff;
const UNKNOWN_WIDTH = 0xffff;

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
/** What one memory module holds at most. */
const MODULE_BYTES = 16 * GIB;
const FOUR_GIB = 4 * GIB;
/** [SMBIOS] 7.18.5: larger sizes go into the extended field, in MiB. */
const EXTENDED_MIB = 0x7fff;
/** [SMBIOS] 7.17: larger capacities go into the extended field, in bytes. */
const EXTENDED_KIB = 0x8000_0000;
/** [SMBIOS] 7.1.1: characteristics are not given; 7.1.2.2: this is a virtual machine. */
const CHARACTERISTICS_NOT_GIVEN = 0x08;
const IS_VIRTUAL_MACHINE = 0x10;
/** [SMBIOS] 7.1 wants a date; no firmware is behind it. */
const RELEASE_DATE = "01/01/2026";

/** `bios` adds the structure that firmware has of its own. */
export function buildSmbios(config: SmbiosConfig, bios: boolean): Smbios {
  const structures = [
    ...(bios ? [biosInformation(config)] : []),
    systemInformation(config),
    enclosure(config),
    ...Array.from({ length: config.sockets }, (_, index) => processor(config, index)),
    ...memory(config),
    structure(32, handle(32), new Uint8Array(7), []),
    structure(127, handle(127), new Uint8Array(0), []),
  ];
  const tables = concatenate(structures);
  const anchor = new Uint8Array(Anchor.size);
  const view = new DataView(anchor.buffer);
  putText(anchor, 0, "_SM_");
  anchor[Anchor.length] = Anchor.size;
  anchor[Anchor.version] = VERSION.major;
  anchor[Anchor.version + 1] = VERSION.minor;
  view.setUint16(Anchor.maxStructure, Math.max(...structures.map(({ length }) => length)), true);
  putText(anchor, Anchor.intermediate, "_DMI_");
  view.setUint16(Anchor.tableLength, tables.length, true);
  view.setUint16(Anchor.structures, structures.length, true);
  anchor[Anchor.bcdRevision] = VERSION.bcd;
  return { anchor, tables };
}

/** The entry point for tables at `address`. [SMBIOS] 5.2.1 */
export function linkSmbios({ anchor }: Smbios, address: number): Uint8Array {
  const linked = anchor.slice();
  new DataView(linked.buffer).setUint32(Anchor.tableAddress, address, true);
  // The second part's first: the whole covers it.
  linked[Anchor.intermediateChecksum] = -sum(linked.subarray(Anchor.intermediate)) & 0xff;
  linked[Anchor.checksum] = -sum(linked) & 0xff;
  return linked;
}

/** Under Xen the names that its domain builder gives. */
function names({ xenVersion }: SmbiosConfig): { maker: string; product: string; version: string } {
  if (xenVersion === 0) return { maker: "Xenolith", product: "Xenolith PC", version: "pc" };
  return { maker: "Xen", product: "HVM domU", version: `${xenVersion >>> 16}.${xenVersion & 0xffff}` };
}

/** [SMBIOS] 7.1 */
function biosInformation(config: SmbiosConfig): Uint8Array {
  const body = new Uint8Array(20);
  body.set([1, 2, 0, 0xe8, 3]);
  body[6] = CHARACTERISTICS_NOT_GIVEN;
  body[15] = IS_VIRTUAL_MACHINE;
  // Release of the system BIOS, then of an embedded controller, which is not there.
  body.set([1, 0, 0xff, 0xff], 16);
  const { maker, version } = names(config);
  return structure(0, handle(0), body, [maker, version, RELEASE_DATE]);
}

/** [SMBIOS] 7.2 */
function systemInformation(config: SmbiosConfig): Uint8Array {
  const body = new Uint8Array(23);
  body.set([1, 2, 3, 4]);
  body.set(uuidBytes(config.uuid), 4);
  body[20] = 6; // Wake-up by the power switch.
  const { maker, product, version } = names(config);
  return structure(1, handle(1), body, [maker, product, version, uuidText(config.uuid)]);
}

/** [SMBIOS] 7.4: of another kind, all states safe, security unknown. */
function enclosure(config: SmbiosConfig): Uint8Array {
  const body = new Uint8Array(17);
  body.set([1, 1, 0, 0, 0, 3, 3, 3, 2]);
  return structure(3, handle(3), body, [names(config).maker]);
}

/** [SMBIOS] 7.5, as of 2.6 */
function processor(config: SmbiosConfig, index: number): Uint8Array {
  const { coresPerSocket: cores, threadsPerCore } = config;
  const body = new Uint8Array(38);
  const view = new DataView(body.buffer);
  // Designation, central processor, family "other", manufacturer.
  body.set([1, 3, 1, 2]);
  body.set([0x41, 1], 20); // Populated and enabled; upgrade "other".
  for (const cache of [22, 24, 26]) view.setUint16(cache, NONE, true);
  body.set([Math.min(0xff, cores), Math.min(0xff, cores), Math.min(0xff, cores * threadsPerCore)], 31);
  view.setUint16(36, 1, true); // Family, again.
  return structure(4, handle(4, index), body, [`CPU ${index}`, names(config).maker]);
}

/** One array of modules, and where they show. [SMBIOS] 7.17, 7.18, 7.20 */
function memory({ lowRamBytes, highRamBytes }: SmbiosConfig): readonly Uint8Array[] {
  const total = lowRamBytes + highRamBytes;
  const modules = Math.ceil(total / MODULE_BYTES);
  const array = new Uint8Array(19);
  const view = new DataView(array.buffer);
  array.set([1, 3, 6]); // Location "other", system memory, multi-bit ECC.
  const large = total / KIB >= EXTENDED_KIB;
  view.setUint32(3, large ? EXTENDED_KIB : total / KIB, true);
  view.setUint16(7, NO_ERROR_INFORMATION, true);
  view.setUint16(9, modules, true);
  if (large) view.setBigUint64(11, BigInt(total), true);
  return [
    structure(16, handle(16), array, []),
    ...Array.from({ length: modules }, (_, index) =>
      memoryModule(index, Math.min(MODULE_BYTES, total - index * MODULE_BYTES)),
    ),
    mappedRange(0, 0, lowRamBytes),
    ...(highRamBytes === 0 ? [] : [mappedRange(1, FOUR_GIB, highRamBytes)]),
  ];
}

/** [SMBIOS] 7.18, as of 2.8 */
function memoryModule(index: number, bytes: number): Uint8Array {
  const body = new Uint8Array(36);
  const view = new DataView(body.buffer);
  const mib = bytes / MIB;
  view.setUint16(0, handle(16), true);
  view.setUint16(2, NO_ERROR_INFORMATION, true);
  view.setUint16(4, UNKNOWN_WIDTH, true);
  view.setUint16(6, UNKNOWN_WIDTH, true);
  view.setUint16(8, Math.min(EXTENDED_MIB, mib), true);
  body.set([9, 0, 1, 0, 7], 10); // DIMM, in no set, its locator, no bank, RAM.
  view.setUint16(15, 2, true); // Of another type.
  if (mib >= EXTENDED_MIB) view.setUint32(24, mib, true);
  return structure(17, handle(17, index), body, [`DIMM ${index}`]);
}

/** [SMBIOS] 7.20. The 32-bit fields, in KiB, reach up to 4 TiB: more than a machine here can have. */
function mappedRange(index: number, start: number, bytes: number): Uint8Array {
  const body = new Uint8Array(27);
  const view = new DataView(body.buffer);
  view.setUint32(0, start / KIB, true);
  view.setUint32(4, (start + bytes) / KIB - 1, true);
  view.setUint16(8, handle(16), true);
  body[10] = 1; // One module a row.
  return structure(19, handle(19, index), body, []);
}

/** Header, body, strings and their end. [SMBIOS] 6.1.2 and 6.1.3 */
function structure(type: number, number: number, body: Uint8Array, strings: readonly string[]): Uint8Array {
  const tail = strings.length === 0 ? "\0\0" : `${strings.join("\0")}\0\0`;
  const bytes = new Uint8Array(4 + body.length + tail.length);
  bytes.set([type, 4 + body.length, number & 0xff, number >> 8]);
  bytes.set(body, 4);
  putText(bytes, 4 + body.length, tail);
  return bytes;
}

/** The first three fields are little-endian. [SMBIOS] 7.2.1 */
function uuidBytes(uuid: Uint8Array): readonly number[] {
  return [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((from) => uuid[from] ?? 0);
}

function uuidText(uuid: Uint8Array): string {
  const digits = Array.from(uuid, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function putText(bytes: Uint8Array, offset: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0);
}
