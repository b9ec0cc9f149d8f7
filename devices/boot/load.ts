/**
 * Direct boot: finds out what kind of kernel a file holds, loads it into guest RAM with all that its boot protocol
 * wants, and tells how the first vCPU starts. Done anew at every reset, as the guest may have changed any of it.
 */
import type { GuestMemory } from "../../shared/memory.js";
import { gpa } from "../../shared/brand.js";
import { BIOS_AREA_START } from "../../shared/layout.js";
import { routedIrq } from "../pci/board-setup.js";
import { buildAcpi, linkAcpi } from "./acpi/tables.js";
import type { LinkedAcpi } from "./acpi/tables.js";
import type { AcpiConfig } from "./acpi/dsdt.js";
import { bootBzImage, isBzImage } from "./bzimage.js";
import type { BootContext, BootState } from "./boot-data.js";
import { buildE820 } from "./e820.js";
import { isElf, readElf } from "./elf.js";
import { imageError, readStart } from "./image.js";
import type { ImageFiles } from "./image.js";
import { writeLowMemory } from "./low-memory.js";
import type { FirmwareData } from "./low-memory.js";
import { buildMpTable } from "./mp-table.js";
import { MULTIBOOT_SEARCH, bootMultiboot, findMultiboot } from "./multiboot.js";
import type { MultibootHeader } from "./multiboot.js";
import { Placement } from "./placement.js";
import { bootPvh, pvhEntry } from "./pvh.js";
import { LOW_RESET_VECTOR, RESET_CODE } from "./reset-vector.js";
import { buildSmbios, linkSmbios } from "./smbios.js";
import type { Smbios, SmbiosConfig } from "./smbios.js";

export interface BootConfig {
  readonly memory: GuestMemory;
  readonly ramBytes: number;
  readonly files: ImageFiles;
  /** Path of the kernel. */
  readonly kernel: string;
  /** Path of the initrd; for multiboot and PVH kernels a list of modules, `path args,path args`. */
  readonly initrd: string | undefined;
  readonly cmdline: string;
  /** Undefined for a machine without ACPI. */
  readonly acpi: AcpiConfig | undefined;
  /** What DMI tells; undefined for a machine without. */
  readonly smbios: SmbiosConfig | undefined;
  /** APIC ids of the vCPUs, for kernels that go without ACPI. */
  readonly apicIds: readonly number[];
  /** Which of COM1 (0) to COM4 (3) exist. */
  readonly serialPorts: readonly number[];
}

const GZIP_MAGIC = 0x8b1f;
/** In the BIOS's own segment, behind the ACPI tables. */
const MP_TABLE_START = gpa(0xf_0000);
const SMBIOS_START = gpa(0xf_4000);
const SMBIOS_ANCHOR_ROOM = 32;

/** Loads the kernel. @throws VmmError CONFIG, one line that names the file and what is wrong with it */
export function loadKernel(config: BootConfig): BootState {
  const { memory, ramBytes } = config;
  const kernel = config.files.open(config.kernel);
  const acpi = config.acpi === undefined ? undefined : linkAcpi(buildAcpi(config.acpi), BIOS_AREA_START);
  // Before the kernel: one that loads to the first page may have it.
  writeLowMemory(memory, config.serialPorts, firmwareData(config, acpi));
  return boot({
    memory,
    placement: new Placement(ramBytes),
    files: config.files,
    kernel,
    initrd: config.initrd,
    cmdline: config.cmdline,
    e820: buildE820(ramBytes),
    rsdp: acpi?.rsdp,
  });
}

/** Kernels look for the entry points of all these in the BIOS's own segment, or, for ACPI's, from 0xe0000 on. */
function firmwareData({ smbios, apicIds }: BootConfig, acpi: LinkedAcpi | undefined): readonly FirmwareData[] {
  const mpTable = buildMpTable({ apicIds, pciIrq: (slot, pin) => routedIrq(slot, pin + 1) }, MP_TABLE_START);
  return [
    ...(acpi === undefined ? [] : [{ at: BIOS_AREA_START, bytes: acpi.bytes }]),
    { at: MP_TABLE_START, bytes: mpTable },
    ...(smbios === undefined ? [] : smbiosData(buildSmbios(smbios, true))),
    { at: LOW_RESET_VECTOR, bytes: RESET_CODE },
  ];
}

function smbiosData(smbios: Smbios): readonly FirmwareData[] {
  const tables = gpa(SMBIOS_START + SMBIOS_ANCHOR_ROOM);
  return [
    { at: SMBIOS_START, bytes: linkSmbios(smbios, tables) },
    { at: tables, bytes: smbios.tables },
  ];
}

/**
 * The order matters: some kernels carry a multiboot header and a PVH note. QEMU, too, takes multiboot first; it refuses
 * 64-bit files with such a header, which the specification does not know, so there the note is preferred.
 */
function boot(context: BootContext): BootState {
  const { kernel } = context;
  const start = readStart(kernel, MULTIBOOT_SEARCH);
  const multiboot = findMultiboot(start);
  if (multiboot?.addresses !== undefined) return bootMultiboot(context, multiboot);
  if (isElf(start)) return bootElf(context, multiboot);
  if (isBzImage(start)) return bootBzImage(context);
  throw imageError(kernel, unknownKind(start));
}

function bootElf(context: BootContext, multiboot: MultibootHeader | undefined): BootState {
  const elf = readElf(context.kernel);
  if (multiboot !== undefined && !elf.wide) return bootMultiboot(context, multiboot);
  const entry = pvhEntry(context, elf);
  if (entry !== undefined) return bootPvh(context, elf, entry);
  if (multiboot !== undefined) return bootMultiboot(context, multiboot);
  throw imageError(context.kernel, "it is an ELF file with neither a PVH note nor a multiboot header");
}

function unknownKind(start: Uint8Array): string {
  if (start.length === 0) return "it is empty";
  const known = "a bzImage, an ELF file with a PVH note, or a multiboot kernel";
  if (start.length >= 2 && ((start[1] ?? 0) << 8) + (start[0] ?? 0) === GZIP_MAGIC) {
    return `it is a gzip file; unpack it first to get ${known}`;
  }
  return `it is not ${known}`;
}
