/**
 * fw_cfg: named blobs that firmware and kernels read through a selector port and a data port.
 *
 * Not modelled: the DMA interface; the id item says so.
 *
 * [FWCFG] QEMU docs/specs/fw_cfg.rst
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { AccessSize, Device, IoHandler, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

/** A blob under a fixed key. */
export interface FwCfgItem {
  readonly key: number;
  readonly data: Uint8Array;
}

/** A blob with a name, which the guest finds through the directory. */
export interface FwCfgFile {
  /** ASCII, at most 55 characters. */
  readonly name: string;
  readonly data: Uint8Array;
}

/** Selector keys. [FWCFG] "Items", and the numbers that boot loaders know */
export const FwCfgKey = {
  signature: 0x00,
  id: 0x01,
  uuid: 0x02,
  ramSize: 0x03,
  noGraphic: 0x04,
  nbCpus: 0x05,
  machineId: 0x06,
  kernelAddress: 0x07,
  kernelSize: 0x08,
  kernelCmdline: 0x09,
  initrdAddress: 0x0a,
  initrdSize: 0x0b,
  bootDevice: 0x0c,
  numa: 0x0d,
  bootMenu: 0x0e,
  maxCpus: 0x0f,
  kernelEntry: 0x10,
  kernelData: 0x11,
  initrdData: 0x12,
  cmdlineAddress: 0x13,
  cmdlineSize: 0x14,
  cmdlineData: 0x15,
  setupAddress: 0x16,
  setupSize: 0x17,
  setupData: 0x18,
  fileDirectory: 0x19,
  fileFirst: 0x20,
} as const;

const BASE = port(0x510);
const LENGTH = 2;
/** Offsets of the ports. [FWCFG] "Register locations", x86 */
const Port = { selector: 0, data: 1 } as const;
const SIGNATURE = [0x51, 0x45, 0x4d, 0x55]; // "QEMU"
/** Bit 0: selector and data ports; bit 1 would be DMA. [FWCFG] "Revision / feature bitmap" */
const FEATURES = [1, 0, 0, 0];
/** Bits 14 and 15 of a key: a write view long gone, and keys of the architecture. [FWCFG] "Selector register" */
const WRITE_VIEW = 0x4000;
/** struct FWCfgFile: size and select in big endian, reserved, then the name. [FWCFG] "File directory" */
const FILE_ENTRY = 64;
const FILE_NAME = { offset: 8, length: 56 } as const;

const W = words(["key", "offset"]);
const VERSION = 1;

export class FwCfg implements Device, IoHandler {
  readonly name = "fw-cfg";
  readonly ports: readonly PortRange[];
  readonly #lock: Lock;
  readonly #words: Float64Array<SharedArrayBuffer>;
  readonly #items: ReadonlyMap<number, Uint8Array>;

  /** @throws RangeError when a key comes twice or a file's name does not fit */
  constructor(arena: SharedArena, items: readonly FwCfgItem[], files: readonly FwCfgFile[]) {
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.float64(2);
    const table = new Map<number, Uint8Array>();
    const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
    const all: readonly FwCfgItem[] = [
      { key: FwCfgKey.signature, data: Uint8Array.from(SIGNATURE) },
      { key: FwCfgKey.id, data: Uint8Array.from(FEATURES) },
      { key: FwCfgKey.fileDirectory, data: directory(sorted) },
      ...items,
      ...sorted.map(({ data }, index) => ({ key: FwCfgKey.fileFirst + index, data })),
    ];
    for (const { key, data } of all) {
      if (table.has(key)) throw new RangeError(`Cannot offer fw_cfg item 0x${key.toString(16)} twice`);
      table.set(key, data);
    }
    this.#items = table;
    this.ports = [{ base: BASE, length: LENGTH, handler: this }];
  }

  reset(): void {
    this.#words.fill(0);
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words);
  }

  /** The data port gives the item's next bytes, lowest address first, and zeros after its end or without an item. */
  read(offset: number, size: AccessSize): number {
    if (offset !== Port.data) return 0;
    this.#lock.acquire();
    try {
      // A key that was never offered has no data: nothing is looked up by number alone (CVE-2016-1714).
      const data = this.#items.get(this.#words[W.key] ?? 0);
      const start = this.#words[W.offset] ?? 0;
      if (data === undefined || start >= data.length) return 0;
      let value = 0;
      for (let byte = 0; byte < size; byte++) value |= (data[start + byte] ?? 0) << (byte * 8);
      this.#words[W.offset] = start + size;
      return value >>> 0;
    } finally {
      this.#lock.release();
    }
  }

  /** Writing data went out of use; only the selector takes writes, 16 bits wide. */
  write(offset: number, size: AccessSize, value: number): void {
    if (offset !== Port.selector || size !== 2) return;
    this.#lock.acquire();
    try {
      this.#words[W.key] = value & 0xffff & ~WRITE_VIEW;
      this.#words[W.offset] = 0;
    } finally {
      this.#lock.release();
    }
  }
}

function directory(files: readonly FwCfgFile[]): Uint8Array {
  const bytes = new Uint8Array(4 + files.length * FILE_ENTRY);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.length);
  files.forEach(({ name, data }, index) => {
    if (name.length >= FILE_NAME.length) throw new RangeError(`Cannot offer fw_cfg file ${name}: its name is too long`);
    const entry = 4 + index * FILE_ENTRY;
    view.setUint32(entry, data.length);
    view.setUint16(entry + 4, FwCfgKey.fileFirst + index);
    for (let at = 0; at < name.length; at++) bytes[entry + FILE_NAME.offset + at] = name.charCodeAt(at) & 0x7f;
  });
  return bytes;
}
