/**
 * fw_cfg: named blobs that firmware and kernels read through a selector port and a data port, or by DMA.
 *
 * Items cannot be written: a DMA write fails as the interface has it.
 *
 * [FWCFG] QEMU docs/specs/fw_cfg.rst
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { AccessSize, Device, IoHandler, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import type { GuestMemory } from "../shared/memory.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";

/** Bytes, or who makes them when the guest first wants them. Always the same number of bytes. */
export type FwCfgData = Uint8Array | (() => Uint8Array);

/** A blob under a fixed key. */
export interface FwCfgItem {
  readonly key: number;
  readonly data: FwCfgData;
}

/** A blob with a name, which the guest finds through the directory. */
export interface FwCfgFile {
  /** ASCII, at most 55 characters. */
  readonly name: string;
  readonly data: FwCfgData;
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
  /** The timer's interrupt arrives at IOAPIC pin 2. An item of the PC's own. */
  irq0Override: 0x8002,
} as const;

const BASE = port(0x510);
const LENGTH = 2;
/** Offsets of the ports. [FWCFG] "Register locations", x86 */
const Port = { selector: 0, data: 1 } as const;
/** The DMA address, a big-endian register of 64 bits: writing its low half starts the transfer. */
const DMA_BASE = port(0x514);
const DMA_LENGTH = 8;
const SIGNATURE = [0x51, 0x45, 0x4d, 0x55]; // "QEMU"
/** What the DMA register reads as: "QEMU CFG". [FWCFG] "Guest-side DMA interface" */
const DMA_SIGNATURE = [...SIGNATURE, 0x20, 0x43, 0x46, 0x47];
/** Bit 0: selector and data ports; bit 1: DMA. [FWCFG] "Revision / feature bitmap" */
const FEATURES = [3, 0, 0, 0];
/** FWCfgDmaAccess: control, length, address, in big endian; and its bits. [FWCFG] "Guest-side DMA interface" */
const ACCESS_BYTES = 16;
const Dma = { error: 0x01, read: 0x02, skip: 0x04, select: 0x08, write: 0x10 } as const;
/** No item is longer: what a transfer may ask for at most, so that a vCPU is never busy for long with filling in zeros. */
const MAX_TRANSFER = 16 * 1024 * 1024;
/** Bits 14 and 15 of a key: a write view long gone, and keys of the architecture. [FWCFG] "Selector register" */
const WRITE_VIEW = 0x4000;
/** struct FWCfgFile: size and select in big endian, reserved, then the name. [FWCFG] "File directory" */
const FILE_ENTRY = 64;
const FILE_NAME = { offset: 8, length: 56 } as const;

const W = words(["key", "offset", "dmaHigh"]);
const VERSION = 2;

export class FwCfg implements Device, IoHandler {
  readonly name = "fw-cfg";
  readonly ports: readonly PortRange[];
  readonly #lock: Lock;
  readonly #words: Float64Array<SharedArrayBuffer>;
  readonly #items: ReadonlyMap<number, FwCfgData>;
  readonly #memory: GuestMemory;
  readonly #access = new Uint8Array(ACCESS_BYTES);
  readonly #accessView = new DataView(this.#access.buffer);

  /** @throws RangeError when a key comes twice or a file's name does not fit */
  constructor(
    arena: SharedArena,
    memory: GuestMemory,
    content: { readonly items: readonly FwCfgItem[]; readonly files: readonly FwCfgFile[] },
  ) {
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.float64(3);
    this.#memory = memory;
    this.#items = itemTable(content.items, content.files);
    this.ports = [
      { base: BASE, length: LENGTH, handler: this },
      {
        base: DMA_BASE,
        length: DMA_LENGTH,
        handler: {
          read: (offset, size) => dmaSignature(offset, size),
          write: (offset, size, value) => {
            this.#writeDmaAddress(offset, size, value);
          },
        },
      },
    ];
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
      const data = this.#selected();
      const start = this.#word(W.offset);
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
      this.#select(value);
    } finally {
      this.#lock.release();
    }
  }

  #select(key: number): void {
    this.#words[W.key] = key & 0xffff & ~WRITE_VIEW;
    this.#words[W.offset] = 0;
  }

  /** A key that was never offered has no data: nothing is looked up by number alone (CVE-2016-1714). */
  #selected(): Uint8Array | undefined {
    const data = this.#items.get(this.#word(W.key));
    return typeof data === "function" ? data() : data;
  }

  /** Dwords in big endian; narrower accesses do not reach the register. */
  #writeDmaAddress(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset !== 0 && offset !== 4)) return;
    const half = swap(value);
    this.#lock.acquire();
    try {
      if (offset === 0) {
        this.#words[W.dmaHigh] = half;
        return;
      }
      const at = this.#word(W.dmaHigh) * 0x1_0000_0000 + half;
      this.#words[W.dmaHigh] = 0;
      this.#transfer(at);
    } finally {
      this.#lock.release();
    }
  }

  /** Carries out the FWCfgDmaAccess at `at`. One that is not memory can be told nothing. */
  #transfer(at: number): void {
    if (!this.#memory.read(at, this.#access)) return;
    const view = this.#accessView;
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const address = view.getUint32(8) * 0x1_0000_0000 + view.getUint32(12);
    if ((control & Dma.select) !== 0) this.#select(control >>> 16);
    // The result goes over the control word, which the guest may be polling.
    view.setUint32(0, this.#carryOut(control, length, address) ? 0 : Dma.error);
    this.#memory.write(at, this.#access.subarray(0, 4));
  }

  /** Read wins over write, write over skip, as the device has them. False for an error. */
  #carryOut(control: number, length: number, address: number): boolean {
    if ((control & (Dma.read | Dma.write | Dma.skip)) === 0) return true;
    if (length > MAX_TRANSFER) return false;
    if ((control & Dma.read) !== 0) return this.#readTo(address, length);
    if ((control & Dma.write) !== 0) return length === 0;
    this.#advance(length);
    return true;
  }

  /** The item's next bytes, then zeros. Nothing is copied unless all of it is memory. */
  #readTo(address: number, length: number): boolean {
    if (length === 0) return true;
    const data = this.#selected() ?? NOTHING;
    const start = Math.min(this.#word(W.offset), data.length);
    const block = new Uint8Array(length);
    block.set(data.subarray(start, start + length));
    if (!this.#memory.write(address, block)) return false;
    this.#advance(length);
    return true;
  }

  /** Not past an item's end by more than anybody can ask for at once: it stays a small number. */
  #advance(length: number): void {
    const end = this.#selected()?.length ?? 0;
    this.#words[W.offset] = Math.min(this.#word(W.offset) + length, end);
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }
}

const NOTHING = new Uint8Array(0);

function swap(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)) >>> 0;
}

function dmaSignature(offset: number, size: AccessSize): number {
  let value = 0;
  for (let byte = 0; byte < size; byte++) value |= (DMA_SIGNATURE[offset + byte] ?? 0xff) << (byte * 8);
  return value >>> 0;
}

function itemTable(items: readonly FwCfgItem[], files: readonly FwCfgFile[]): ReadonlyMap<number, FwCfgData> {
  const table = new Map<number, FwCfgData>();
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name } of sorted) {
    if (name.length >= FILE_NAME.length) throw new RangeError(`Cannot offer fw_cfg file ${name}: its name is too long`);
  }
  const all: readonly FwCfgItem[] = [
    { key: FwCfgKey.signature, data: Uint8Array.from(SIGNATURE) },
    { key: FwCfgKey.id, data: Uint8Array.from(FEATURES) },
    { key: FwCfgKey.fileDirectory, data: madeOnce(() => directory(sorted)) },
    ...items,
    ...sorted.map(({ data }, index) => ({ key: FwCfgKey.fileFirst + index, data })),
  ];
  for (const { key, data } of all) {
    if (table.has(key)) throw new RangeError(`Cannot offer fw_cfg item 0x${key.toString(16)} twice`);
    table.set(key, data);
  }
  return table;
}

/** For bytes that never change: made when first wanted, then kept. */
export function madeOnce(make: () => Uint8Array): () => Uint8Array {
  let made: Uint8Array | undefined;
  return () => (made ??= make());
}

function directory(files: readonly FwCfgFile[]): Uint8Array {
  const bytes = new Uint8Array(4 + files.length * FILE_ENTRY);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.length);
  files.forEach(({ name, data }, index) => {
    const entry = 4 + index * FILE_ENTRY;
    view.setUint32(entry, (typeof data === "function" ? data() : data).length);
    view.setUint16(entry + 4, FwCfgKey.fileFirst + index);
    for (let at = 0; at < name.length; at++) bytes[entry + FILE_NAME.offset + at] = name.charCodeAt(at) & 0x7f;
  });
  return bytes;
}
