/**
 * What firmware reads of the machine through fw_cfg.
 *
 * [FWCFG] QEMU docs/specs/fw_cfg.rst
 * [SEABIOS] SeaBIOS, docs/Runtime_config.md and src/fw/paravirt.c: names and sizes of what it reads
 */
import { FwCfgKey, madeOnce } from "../../fw-cfg.js";
import type { FwCfgFile, FwCfgItem } from "../../fw-cfg.js";
import { buildAcpi } from "../acpi/tables.js";
import type { AcpiConfig } from "../acpi/dsdt.js";
import { encodeE820, firmwareE820 } from "../e820.js";
import { buildSmbios } from "../smbios.js";
import type { SmbiosConfig } from "../smbios.js";
import { buildBootOrder } from "./boot-order.js";
import type { BootCandidate } from "./boot-order.js";
import { buildLoaderFiles, LoaderFile } from "./table-loader.js";
import type { LoaderFiles } from "./table-loader.js";

export interface FirmwareConfig {
  readonly ramBytes: number;
  readonly boot: {
    readonly candidates: readonly BootCandidate[];
    readonly strict: boolean;
    /** Undefined for no boot menu, else how long it waits to be asked for. */
    readonly menuTimeoutMs: number | undefined;
    /** How long it waits when nothing could be booted, before it starts anew; undefined for ever. */
    readonly retryMs: number | undefined;
  };
  readonly smbios: SmbiosConfig;
  /** Which of COM1 (0) to COM4 (3) exist. */
  readonly serialPorts: readonly number[];
  /** The tables but for what firmware itself decides; undefined for a machine without ACPI. */
  readonly acpi: Omit<AcpiConfig, "pmBase"> | undefined;
}

/** What the firmware has done to the board so far. */
export interface FirmwareBoard {
  /** I/O port of the power management block. */
  pmBase(): number;
}

/** [SEABIOS] "etc/boot-fail-wait", in ms: stay at "No bootable device" and do not try again. */
const NEVER = 0xffff_ffff;
/** [SEABIOS] "etc/sercon-port": the console goes to COM1 as well. */
const COM1 = 0x3f8;

/** Files under names. The ACPI tables are made when they are read, for the board as it is then. */
export function firmwareFiles(config: FirmwareConfig, board: FirmwareBoard): readonly FwCfgFile[] {
  const { boot, acpi, ramBytes, serialPorts } = config;
  const order = buildBootOrder(boot.candidates, boot.strict);
  // SeaBIOS adds the structure about itself.
  const smbios = buildSmbios(config.smbios, false);
  return [
    ...(acpi === undefined ? [] : acpiFiles(acpi, board)),
    { name: "etc/e820", data: madeOnce(() => encodeE820(firmwareE820(ramBytes))) },
    { name: "etc/smbios/smbios-anchor", data: smbios.anchor },
    { name: "etc/smbios/smbios-tables", data: smbios.tables },
    { name: "etc/boot-fail-wait", data: little(boot.retryMs ?? NEVER, 4) },
    ...(order.length === 0 ? [] : [{ name: "bootorder", data: order }]),
    ...(boot.menuTimeoutMs === undefined ? [] : [{ name: "etc/boot-menu-wait", data: little(boot.menuTimeoutMs, 2) }]),
    ...(serialPorts.includes(0) ? [{ name: "etc/sercon-port", data: little(COM1, 2) }] : []),
  ];
}

function acpiFiles(acpi: Omit<AcpiConfig, "pmBase">, board: FirmwareBoard): readonly FwCfgFile[] {
  const loader = new CurrentLoaderFiles(acpi, board);
  return [
    { name: LoaderFile.script, data: () => loader.files.script },
    { name: LoaderFile.rsdp, data: () => loader.files.rsdp },
    { name: LoaderFile.tables, data: () => loader.files.tables },
  ];
}

/** Items under numbers that only firmware reads. */
export function firmwareItems({ boot }: FirmwareConfig): readonly FwCfgItem[] {
  return [
    { key: FwCfgKey.bootMenu, data: little(boot.menuTimeoutMs === undefined ? 0 : 1, 2) },
    { key: FwCfgKey.irq0Override, data: little(1, 1) },
  ];
}

/** `value` in `size` bytes, least significant first. */
export function little(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 0x100);
}

/** Firmware moves the power management block before it reads the tables, which name it. Sizes never change. */
class CurrentLoaderFiles {
  readonly #acpi: Omit<AcpiConfig, "pmBase">;
  readonly #board: FirmwareBoard;
  #pmBase = -1;
  #files: LoaderFiles | undefined;

  constructor(acpi: Omit<AcpiConfig, "pmBase">, board: FirmwareBoard) {
    this.#acpi = acpi;
    this.#board = board;
  }

  get files(): LoaderFiles {
    const pmBase = this.#board.pmBase();
    if (this.#files === undefined || pmBase !== this.#pmBase) {
      this.#pmBase = pmBase;
      this.#files = buildLoaderFiles(buildAcpi({ ...this.#acpi, pmBase }));
    }
    return this.#files;
  }
}
