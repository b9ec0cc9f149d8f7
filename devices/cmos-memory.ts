/**
 * What a PC's set-up leaves in CMOS memory about the board: memory sizes, processors, boot order, equipment.
 *
 * [CMOS] Ralf Brown's CMOS memory map; bytes 0x30..0x35, 0x38, 0x3d and 0x5b..0x5f as SeaBIOS reads them (src/fw/paravirt.c)
 */

export interface CmosBoard {
  /** RAM below 4 GiB, in bytes. */
  readonly lowRamBytes: number;
  /** RAM from 4 GiB on, in bytes. */
  readonly highRamBytes: number;
  readonly vcpus: number;
  /** Kinds of boot devices, the first to try first: a floppy, c disk, d CD, n network. */
  readonly bootOrder: string;
  /** Instead of that, from power-on to the first reset. */
  readonly bootOnce?: string | undefined;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const UNIT_64K = 64 * KIB;
/** Conventional memory of a PC, in KiB. */
const BASE_KIB = 640;

const Cmos = {
  equipment: 0x14,
  baseMemory: 0x15,
  extendedMemory: 0x17,
  checksum: 0x2e,
  extendedMemory2: 0x30,
  above16M: 0x34,
  bootThird: 0x38,
  bootFirstAndSecond: 0x3d,
  above4G: 0x5b,
  processors: 0x5f,
} as const;
/** Bytes that the checksum covers. */
const CHECKED = { first: 0x10, last: 0x2d } as const;
/** FPU and PS/2 mouse port present, no floppy. [CMOS] 0x14 */
const EQUIPMENT = 0x06;
/** Kinds of boot devices by their letters. [CMOS] 0x3d and 0x38 */
const BOOT_KINDS = "acdn";

/** `powerOn`: nobody has reset the machine yet. */
export function fillMemorySizes(cmos: Uint8Array, board: CmosBoard, powerOn = false): void {
  const extended = Math.min(0xffff, Math.max(0, Math.floor((board.lowRamBytes - MIB) / KIB)));
  const above16M = Math.min(0xffff, Math.max(0, Math.floor((board.lowRamBytes - 16 * MIB) / UNIT_64K)));
  const above4G = Math.min(0xff_ffff, Math.floor(board.highRamBytes / UNIT_64K));
  cmos[Cmos.equipment] = EQUIPMENT;
  put(cmos, Cmos.baseMemory, BASE_KIB, 2);
  put(cmos, Cmos.extendedMemory, extended, 2);
  put(cmos, Cmos.extendedMemory2, extended, 2);
  put(cmos, Cmos.above16M, above16M, 2);
  put(cmos, Cmos.above4G, above4G, 3);
  // A letter that is not there counts as 0: none.
  const order = (powerOn ? board.bootOnce : undefined) ?? board.bootOrder;
  const [first = 0, second = 0, third = 0] = Array.from(order, (letter) => BOOT_KINDS.indexOf(letter) + 1);
  cmos[Cmos.bootFirstAndSecond] = first | (second << 4);
  cmos[Cmos.bootThird] = third << 4;
  cmos[Cmos.processors] = Math.min(0xff, board.vcpus - 1);
  let sum = 0;
  for (let index: number = CHECKED.first; index <= CHECKED.last; index++) sum += cmos[index] ?? 0;
  // The one big-endian word of the map.
  cmos[Cmos.checksum] = sum >> 8;
  cmos[Cmos.checksum + 1] = sum & 0xff;
}

function put(cmos: Uint8Array, index: number, value: number, size: number): void {
  for (let byte = 0; byte < size; byte++) cmos[index + byte] = (value >>> (byte * 8)) & 0xff;
}
