/**
 * ATA's commands, by code: what each is called and what a drive does for it.
 *
 * [ATA-6] T13/1410D, 8 "Command descriptions", annex D; [ACS-2] T13/2015-D, 7.9 "DATA SET MANAGEMENT", FUA writes
 */

/** Of a disk. `extended`: 48-bit addresses; `multiple`: blocks of several sectors; `through`: past the write cache. */
export type DiskAction =
  | { readonly kind: "pio-in"; readonly extended: boolean; readonly multiple: boolean }
  | { readonly kind: "pio-out"; readonly extended: boolean; readonly multiple: boolean; readonly through: boolean }
  | { readonly kind: "dma-in"; readonly extended: boolean }
  | { readonly kind: "dma-out"; readonly extended: boolean; readonly through: boolean }
  | { readonly kind: "verify"; readonly extended: boolean }
  | { readonly kind: "read-native-max"; readonly extended: boolean }
  | { readonly kind: "flush" }
  | { readonly kind: "trim" }
  | { readonly kind: "identify" | "initialize-parameters" | "set-multiple" | "seek" | "recalibrate" | "smart" };

/** Of disks and packet devices alike. */
export interface CommonAction {
  readonly kind: "nop" | "set-features" | "standby" | "idle" | "check-power";
}

/** Of packet devices. */
export interface PacketAction {
  readonly kind: "packet" | "identify-packet" | "device-reset";
}

export type AtaAction = DiskAction | CommonAction | PacketAction;

export interface AtaCommand {
  readonly code: number;
  /** As the standard spells it. */
  readonly name: string;
  readonly action: AtaAction;
}

/** It concerns both drives of the channel, whichever is selected. */
export const EXECUTE_DEVICE_DIAGNOSTIC = 0x90;
export const DEVICE_RESET = 0x08;

const PIO_IN = { kind: "pio-in", extended: false, multiple: false } as const;
const PIO_OUT = { kind: "pio-out", extended: false, multiple: false, through: false } as const;
const DMA_IN = { kind: "dma-in", extended: false } as const;
const DMA_OUT = { kind: "dma-out", extended: false, through: false } as const;
const RECALIBRATE = { kind: "recalibrate" } as const;
const SEEK = { kind: "seek" } as const;

type Row = readonly [code: number, name: string, action: AtaAction];

const ROWS: readonly Row[] = [
  [0x00, "NOP", { kind: "nop" }],
  [0x06, "DATA SET MANAGEMENT", { kind: "trim" }],
  [DEVICE_RESET, "DEVICE RESET", { kind: "device-reset" }],
  // Up to ATA-3 the low four bits were a step rate.
  ...sixteen(0x10, "RECALIBRATE", RECALIBRATE),
  [0x20, "READ SECTORS", PIO_IN],
  [0x21, "READ SECTORS", PIO_IN],
  [0x24, "READ SECTORS EXT", { ...PIO_IN, extended: true }],
  [0x25, "READ DMA EXT", { ...DMA_IN, extended: true }],
  [0x27, "READ NATIVE MAX ADDRESS EXT", { kind: "read-native-max", extended: true }],
  [0x29, "READ MULTIPLE EXT", { ...PIO_IN, extended: true, multiple: true }],
  [0x30, "WRITE SECTORS", PIO_OUT],
  [0x31, "WRITE SECTORS", PIO_OUT],
  [0x34, "WRITE SECTORS EXT", { ...PIO_OUT, extended: true }],
  [0x35, "WRITE DMA EXT", { ...DMA_OUT, extended: true }],
  [0x39, "WRITE MULTIPLE EXT", { ...PIO_OUT, extended: true, multiple: true }],
  [0x3d, "WRITE DMA FUA EXT", { ...DMA_OUT, extended: true, through: true }],
  [0x40, "READ VERIFY SECTORS", { kind: "verify", extended: false }],
  [0x41, "READ VERIFY SECTORS", { kind: "verify", extended: false }],
  [0x42, "READ VERIFY SECTORS EXT", { kind: "verify", extended: true }],
  ...sixteen(0x70, "SEEK", SEEK),
  [0x91, "INITIALIZE DEVICE PARAMETERS", { kind: "initialize-parameters" }],
  [0x94, "STANDBY IMMEDIATE", { kind: "standby" }],
  [0x95, "IDLE IMMEDIATE", { kind: "idle" }],
  [0x96, "STANDBY", { kind: "standby" }],
  [0x97, "IDLE", { kind: "idle" }],
  [0x98, "CHECK POWER MODE", { kind: "check-power" }],
  // Not modelled: that a drive asleep answers nothing but a reset.
  [0x99, "SLEEP", { kind: "standby" }],
  [0xa0, "PACKET", { kind: "packet" }],
  [0xa1, "IDENTIFY PACKET DEVICE", { kind: "identify-packet" }],
  [0xb0, "SMART", { kind: "smart" }],
  [0xc4, "READ MULTIPLE", { ...PIO_IN, multiple: true }],
  [0xc5, "WRITE MULTIPLE", { ...PIO_OUT, multiple: true }],
  [0xc6, "SET MULTIPLE MODE", { kind: "set-multiple" }],
  [0xc8, "READ DMA", DMA_IN],
  [0xc9, "READ DMA", DMA_IN],
  [0xca, "WRITE DMA", DMA_OUT],
  [0xcb, "WRITE DMA", DMA_OUT],
  [0xce, "WRITE MULTIPLE FUA EXT", { ...PIO_OUT, extended: true, multiple: true, through: true }],
  [0xe0, "STANDBY IMMEDIATE", { kind: "standby" }],
  [0xe1, "IDLE IMMEDIATE", { kind: "idle" }],
  [0xe2, "STANDBY", { kind: "standby" }],
  [0xe3, "IDLE", { kind: "idle" }],
  [0xe5, "CHECK POWER MODE", { kind: "check-power" }],
  [0xe6, "SLEEP", { kind: "standby" }],
  [0xe7, "FLUSH CACHE", { kind: "flush" }],
  [0xea, "FLUSH CACHE EXT", { kind: "flush" }],
  [0xec, "IDENTIFY DEVICE", { kind: "identify" }],
  [0xef, "SET FEATURES", { kind: "set-features" }],
  [0xf8, "READ NATIVE MAX ADDRESS", { kind: "read-native-max", extended: false }],
];

function sixteen(first: number, name: string, action: AtaAction): readonly Row[] {
  return Array.from({ length: 16 }, (_, i) => [first + i, name, action]);
}

const BY_CODE: readonly (AtaCommand | undefined)[] = byCode();

function byCode(): readonly (AtaCommand | undefined)[] {
  const table = new Array<AtaCommand | undefined>(256).fill(undefined);
  for (const [code, name, action] of ROWS) table[code] = { code, name, action };
  return table;
}

/** What `code` asks for; undefined where the standard has nothing that we know. */
export function ataCommand(code: number): AtaCommand | undefined {
  return BY_CODE[code];
}
