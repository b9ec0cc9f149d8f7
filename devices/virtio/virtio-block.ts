/**
 * Virtio's block device as its driver configures it. The data plane is in block-plane.ts.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.2 "Block device"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize } from "../../shared/io.js";
import { restoreChip, saveChip } from "../chip-state.js";
import type { ChipState } from "../chip-state.js";
import { BLOCK_TYPE, BlockFeature, Config, MAX_RANGE_SECTORS, MAX_RANGES } from "./block-abi.js";
import type { VirtioDevice } from "./virtio-device.js";

export interface VirtioBlockOptions {
  readonly slot: number;
  /** Size in 512-byte sectors. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** Discards free space. */
  readonly discards: boolean;
  /** The host's cache holds back what was written, until a flush. */
  readonly writeback: boolean;
  /** Rings the disk's actor. */
  notify(): void;
}

/** Descriptors: header, status and 254 pieces of data. */
export const BLOCK_QUEUE_SIZE = 256;
const SEG_MAX = BLOCK_QUEUE_SIZE - 2;
/** What one system call of Linux moves at most, in bytes. */
const SIZE_MAX = 0x7fff_f000;
const BLOCK_SIZE = 512;
/** What firmware's translation expects of a large disk. */
const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const MAX_CYLINDERS = 0xffff;
/** What file systems of today free at once, in sectors. */
const DISCARD_ALIGNMENT = 8;
/** Mass storage controller, SCSI: as other virtual machines present it, and unplug it by. */
const CLASS = 0x01_0000;
const VERSION = 1;

export class VirtioBlock implements VirtioDevice {
  readonly name: string;
  readonly type = BLOCK_TYPE;
  readonly classCode = CLASS;
  readonly features: readonly number[];
  readonly queueSizes = [BLOCK_QUEUE_SIZE] as const;
  readonly configLength = Config.bytes;
  readonly #options: VirtioBlockOptions;
  /** What does not change. */
  readonly #config = new Uint8Array(Config.bytes);
  /** Whether the driver wants write-back caching. */
  readonly #writeback: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, options: VirtioBlockOptions) {
    const { slot, sectors, readOnly, discards } = options;
    this.name = `virtio-blk-${slot}`;
    this.#options = options;
    this.#writeback = arena.int32(1);
    const { sizeMax, segMax, geometry, blockSize, flush, topology, configWce, writeZeroes } = BlockFeature;
    this.features = [
      ...[sizeMax, segMax, geometry, blockSize, flush, topology, configWce],
      ...(readOnly ? [BlockFeature.readOnly] : [writeZeroes]),
      ...(discards && !readOnly ? [BlockFeature.discard] : []),
    ];
    const view = new DataView(this.#config.buffer);
    view.setBigUint64(Config.capacity, BigInt(sectors), true);
    view.setUint32(Config.sizeMax, SIZE_MAX, true);
    view.setUint32(Config.segMax, SEG_MAX, true);
    const cylinders = Math.min(MAX_CYLINDERS, Math.floor(sectors / (HEADS * SECTORS_PER_TRACK)));
    view.setUint16(Config.cylinders, cylinders, true);
    view.setUint8(Config.heads, HEADS);
    view.setUint8(Config.sectors, SECTORS_PER_TRACK);
    view.setUint32(Config.blockSize, BLOCK_SIZE, true);
    view.setUint16(Config.minIoSize, 1, true);
    view.setUint16(Config.queueCount, 1, true);
    view.setUint32(Config.maxDiscardSectors, MAX_RANGE_SECTORS, true);
    view.setUint32(Config.maxDiscardSegments, MAX_RANGES, true);
    view.setUint32(Config.discardAlignment, DISCARD_ALIGNMENT, true);
    view.setUint32(Config.maxWriteZeroesSectors, MAX_RANGE_SECTORS, true);
    view.setUint32(Config.maxWriteZeroesSegments, MAX_RANGES, true);
    view.setUint8(Config.writeZeroesMayUnmap, discards ? 1 : 0);
  }

  /** Whether the driver wants write-back caching, if it has a say. [VIRTIO] 5.2.5.2 */
  get writeback(): boolean {
    return Atomics.load(this.#writeback, 0) !== 0;
  }

  readConfig(offset: number, size: AccessSize): number {
    let value = 0;
    for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + this.#byte(offset + byte);
    return value;
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    const byte = Config.writeback - offset;
    if (byte >= 0 && byte < size) Atomics.store(this.#writeback, 0, (value >>> (byte * 8)) & 1);
  }

  reset(): void {
    Atomics.store(this.#writeback, 0, this.#options.writeback ? 1 : 0);
  }

  save(): ChipState {
    return saveChip(VERSION, this.#writeback);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#writeback);
  }

  notify(): void {
    this.#options.notify();
  }

  #byte(offset: number): number {
    return offset === Config.writeback ? Atomics.load(this.#writeback, 0) : (this.#config[offset] ?? 0);
  }
}
