/**
 * Direct boot: finds out what kind of kernel a file holds, loads it into guest RAM with all that its boot protocol
 * wants, and tells how the first vCPU starts. Done anew at every reset, as the guest may have changed any of it.
 */
import type { GuestMemory } from "../../shared/memory.js";
import { BIOS_AREA_START } from "../../shared/layout.js";
import { buildAcpi, linkAcpi } from "./acpi/tables.js";
import type { AcpiConfig } from "./acpi/dsdt.js";
import { bootBzImage, isBzImage } from "./bzimage.js";
import type { BootContext, BootState } from "./boot-data.js";
import { buildE820 } from "./e820.js";
import { isElf, readElf } from "./elf.js";
import { imageError, readStart } from "./image.js";
import type { ImageFiles } from "./image.js";
import { writeLowMemory } from "./low-memory.js";
import { MULTIBOOT_SEARCH, bootMultiboot, findMultiboot } from "./multiboot.js";
import { Placement } from "./placement.js";
import { bootPvh, pvhEntry } from "./pvh.js";

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
  /** Which of COM1 (0) to COM4 (3) exist. */
  readonly serialPorts: readonly number[];
}

const GZIP_MAGIC = 0x8b1f;

/** Loads the kernel. @throws VmmError CONFIG, one line that names the file and what is wrong with it */
export function loadKernel(config: BootConfig): BootState {
  const { memory, ramBytes } = config;
  const kernel = config.files.open(config.kernel);
  const acpi = config.acpi === undefined ? undefined : linkAcpi(buildAcpi(config.acpi), BIOS_AREA_START);
  // Before the kernel: one that loads to the first page may have it.
  writeLowMemory(memory, config.serialPorts, acpi?.bytes ?? new Uint8Array(0));
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

/** The order matters: some kernels carry a multiboot header and a PVH note; QEMU, too, takes multiboot first. */
function boot(context: BootContext): BootState {
  const { kernel } = context;
  const start = readStart(kernel, MULTIBOOT_SEARCH);
  const multiboot = findMultiboot(start);
  if (multiboot !== undefined && (multiboot.addresses !== undefined || isElf(start))) {
    return bootMultiboot(context, multiboot);
  }
  if (isElf(start)) {
    const elf = readElf(kernel);
    const entry = pvhEntry(context, elf);
    if (entry === undefined)
      throw imageError(kernel, "it is an ELF file with neither a PVH note nor a multiboot header");
    return bootPvh(context, elf, entry);
  }
  if (isBzImage(start)) return bootBzImage(context);
  throw imageError(kernel, unknownKind(start));
}

function unknownKind(start: Uint8Array): string {
  if (start.length === 0) return "it is empty";
  const known = "a bzImage, an ELF file with a PVH note, or a multiboot kernel";
  if (start.length >= 2 && ((start[1] ?? 0) << 8) + (start[0] ?? 0) === GZIP_MAGIC) {
    return `it is a gzip file; unpack it first to get ${known}`;
  }
  return `it is not ${known}`;
}
