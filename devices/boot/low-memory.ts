/**
 * What PC firmware leaves below 1 MiB for whoever boots without asking it: the BIOS data area, the extended one, and
 * the BIOS area with the tables that kernels without a better pointer scan it for.
 *
 * [BDA] IBM PS/2 and PC BIOS Interface Technical Reference, 1991: BIOS data area
 * [ACPI] ACPI 6.5, 5.2.5.1 "Finding the RSDP on IA-PC Systems"
 */
import { BIOS_AREA_START, EBDA_START, LEGACY_HOLE_START, ONE_MIB } from "../../shared/layout.js";
import type { Gpa } from "../../shared/brand.js";
import type { GuestMemory } from "../../shared/memory.js";

/** [BDA] The BIOS data area and its fields. */
const BDA_START = 0x400;
const BDA_SIZE = 0x100;
const BDA_COM_PORTS = 0x00;
const BDA_EBDA_SEGMENT = 0x0e;
const BDA_BASE_MEMORY_KIB = 0x13;

/** I/O bases of COM1 to COM4. */
const COM_PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8] as const;

/** Something for the BIOS area. */
export interface FirmwareData {
  readonly at: Gpa;
  readonly bytes: Uint8Array;
}

/**
 * Writes both data areas and the BIOS area from scratch: after a reset they may hold anything.
 *
 * @param serialPorts which of COM1 (0) to COM4 (3) exist
 * @param data what goes to the BIOS area, in the order of addresses
 */
export function writeLowMemory(
  memory: GuestMemory,
  serialPorts: readonly number[],
  data: readonly FirmwareData[],
): void {
  const bda = new DataView(new ArrayBuffer(BDA_SIZE));
  [...serialPorts]
    .sort((a, b) => a - b)
    .forEach((index, slot) => {
      bda.setUint16(BDA_COM_PORTS + slot * 2, COM_PORTS[index] ?? 0, true);
    });
  bda.setUint16(BDA_EBDA_SEGMENT, EBDA_START >>> 4, true);
  bda.setUint16(BDA_BASE_MEMORY_KIB, EBDA_START >>> 10, true);
  memory.write(BDA_START, new Uint8Array(bda.buffer));

  const ebda = new Uint8Array(LEGACY_HOLE_START - EBDA_START);
  ebda[0] = ebda.length >>> 10; // Its own size in KiB.
  memory.write(EBDA_START, ebda);

  memory.fill(BIOS_AREA_START, ONE_MIB - BIOS_AREA_START, 0);
  let free: number = BIOS_AREA_START;
  for (const { at, bytes } of data) {
    if (at < free || at + bytes.length > ONE_MIB) {
      throw new RangeError(`Cannot place ${bytes.length} bytes of firmware data at 0x${at.toString(16)}`);
    }
    memory.write(at, bytes);
    free = at + bytes.length;
  }
}
