/**
 * A PIIX3 IDE function with drives, guest memory and storage of its own, driven by ports as a guest would. Disk actors
 * work when the spec says so, or after each access.
 */
import assert from "node:assert/strict";
import { SharedArena } from "../../../shared/arena.js";
import { gpa } from "../../../shared/brand.js";
import { allOnes } from "../../../shared/io.js";
import type { AccessSize } from "../../../shared/io.js";
import { GuestMemory, MemoryRegion } from "../../../shared/memory.js";
import { UNTRACED } from "../../../shared/trace.js";
import type { AtaDisk, ChannelDrives, IdeDrive } from "../../../devices/ide/drive.js";
import { IdeExecutor } from "../../../devices/ide/ide-executor.js";
import type { PciDecode } from "../../../devices/pci/config-space.js";
import { Piix3Ide } from "../../../devices/ide/piix3-ide.js";
import type { BlockBackend, BlockRequest } from "../../../devices/block-backend.js";
import { RecordedLine } from "../port-driver.js";

export const RAM_BYTES = 1024 * 1024;
/** Sectors of a disk that is not told otherwise. */
export const DISK_SECTORS = 20_000;
/** Where the rig puts PRD tables. */
export const TABLE = 0x1000;
export const BUS_MASTER = 0xc000;

/** One call to the storage. */
export type StorageCall = readonly [
  op: "read" | "write" | "flush" | "discard" | "zero",
  sector: number,
  sectors: number,
];
const OPS = ["read", "write", "flush", "discard", "zero"] as const;

/** Storage in memory: sector n is filled with bytes of n, until somebody writes it. */
export class FakeStorage implements BlockBackend {
  readonly readOnly = false;
  readonly discards = true;
  readonly calls: StorageCall[] = [];
  /** Sectors that cannot be read or written, with the errno of it. */
  readonly bad = new Map<number, number>();
  /** Says that data moved, and moves none. */
  idle = false;
  /** Holds requests back. */
  held: (() => void)[] | undefined;
  readonly #written = new Map<number, Uint8Array>();

  readonly sectors: number;

  constructor(sectors: number) {
    this.sectors = sectors;
  }

  static pattern(sector: number): Uint8Array {
    return Uint8Array.from({ length: 512 }, (_, i) => (i % 2 === 0 ? sector : sector >>> 8) & 0xff);
  }

  sector(index: number): Uint8Array {
    return this.#written.get(index) ?? FakeStorage.pattern(index);
  }

  submit(request: BlockRequest): void {
    const { op, offset, length } = request;
    const first = offset / 512;
    assert(Number.isInteger(first) && length % 512 === 0, "whole sectors");
    assert(first + length / 512 <= this.sectors, "within the disk");
    this.calls.push([OPS[op], first, length / 512]);
    const carryOut = (): void => {
      request.complete(this.#carryOut(request, first));
    };
    if (this.held === undefined) carryOut();
    else this.held.push(carryOut);
  }

  #carryOut(request: BlockRequest, first: number): number {
    if (this.idle) return 0;
    if (request.op > 1) return this.bad.get(-1) ?? 0;
    for (let i = 0; i < request.length / 512; i++) {
      const error = this.bad.get(first + i);
      if (error !== undefined) return error;
    }
    let done = 0;
    for (let i = 0; i < request.segmentCount; i++) {
      const region = request.regions[i];
      const start = request.offsets[i] ?? 0;
      const length = request.lengths[i] ?? 0;
      assert(region !== undefined && start >= 0 && start + length <= region.size, "within the region");
      assert(start % 512 === 0 && length % 512 === 0, "segments of whole sectors");
      for (let at = 0; at < length; at += 512, done += 512) {
        const part = region.bytes.subarray(start + at, start + at + 512);
        if (request.op === 0) part.set(this.sector(first + done / 512));
        else this.#written.set(first + done / 512, part.slice());
      }
    }
    assert.equal(done, request.length);
    return 0;
  }
}

export function disk(fields: Partial<AtaDisk> = {}): AtaDisk {
  return { kind: "disk", sectors: DISK_SECTORS, serial: "XL00001", readOnly: false, discards: true, ...fields };
}

export interface RigOptions {
  readonly primary?: ChannelDrives;
  readonly secondary?: ChannelDrives;
  /** Instead of fakes: the memory of the channels and of the guest, and what the primary master's data is on. */
  readonly real?: {
    readonly arena: SharedArrayBuffer;
    readonly ram: SharedArrayBuffer;
    readonly storage: BlockBackend;
  };
}

export class IdeRig {
  readonly irqs = [new RecordedLine(), new RecordedLine()] as const;
  readonly region: MemoryRegion;
  readonly memory: GuestMemory;
  readonly ide: Piix3Ide;
  /** By channel and unit. */
  readonly storages: readonly (FakeStorage | undefined)[];
  readonly executors: readonly (IdeExecutor | undefined)[];
  /** Disk actors work after each access. */
  automatic = true;
  #decodes: readonly PciDecode[] = [];
  #decodesKey = "";

  constructor({ primary = [disk(), undefined], secondary = [undefined, undefined], real }: RigOptions = {}) {
    this.region = new MemoryRegion(gpa(0), RAM_BYTES, real?.ram ?? new SharedArrayBuffer(RAM_BYTES));
    this.memory = new GuestMemory([this.region]);
    const arena = new SharedArena(real?.arena ?? new SharedArrayBuffer(256 * 1024));
    this.ide = new Piix3Ide(arena, [primary, secondary], {
      irqs: this.irqs,
      trace: UNTRACED,
      kick: () => undefined,
    });
    const drives: readonly (IdeDrive | undefined)[] = [...primary, ...secondary];
    this.storages = drives.map((drive) => {
      if (drive === undefined) return undefined;
      return new FakeStorage(drive.kind === "disk" ? drive.sectors : DISK_SECTORS);
    });
    this.executors = this.storages.map((storage, place) => {
      if (storage === undefined) return undefined;
      const jobs = this.ide.channels[place < 2 ? 0 : 1].jobs[place % 2 === 0 ? 0 : 1];
      return new IdeExecutor({ jobs, memory: this.memory, storage: real?.storage ?? storage });
    });
    this.ide.reset();
    this.setUp();
  }

  /** The primary master's. */
  get storage(): FakeStorage {
    const [storage] = this.storages;
    assert(storage !== undefined);
    return storage;
  }

  /** As firmware leaves the function. */
  setUp(): void {
    this.ide.writeConfig(0x20, 4, BUS_MASTER);
    this.ide.writeConfig(0x40, 4, 0x8000_8000);
    this.ide.writeConfig(0x04, 2, 0x0005);
  }

  in(port: number, size: AccessSize = 1): number {
    const range = this.#range(port);
    const value = range === undefined ? allOnes(size) : range.handler.read(port - range.base, size) >>> 0;
    if (this.automatic) this.work();
    return value;
  }

  out(port: number, value: number, size: AccessSize = 1): void {
    const range = this.#range(port);
    range?.handler.write(port - range.base, size, value);
    if (this.automatic) this.work();
  }

  /** All disk actors do what there is to do. */
  work(): void {
    for (const executor of this.executors) executor?.kick();
  }

  /** A command with a 28-bit address, to the drive that `device` selects. */
  lba28(command: number, sector: number, count: number, device = 0xe0): void {
    this.out(0x1f6, device | ((sector >>> 24) & 0x0f));
    this.out(0x1f2, count & 0xff);
    this.out(0x1f3, sector & 0xff);
    this.out(0x1f4, (sector >>> 8) & 0xff);
    this.out(0x1f5, (sector >>> 16) & 0xff);
    this.out(0x1f7, command);
  }

  /** A command with a 48-bit address: high bytes first. */
  lba48(command: number, sector: number, count: number): void {
    const high = Math.floor(sector / 0x100_0000);
    this.out(0x1f6, 0xe0);
    for (const [part, address] of [
      [count >>> 8, high],
      [count, sector % 0x100_0000],
    ] as const) {
      this.out(0x1f2, part & 0xff);
      this.out(0x1f3, address & 0xff);
      this.out(0x1f4, (address >>> 8) & 0xff);
      this.out(0x1f5, (address >>> 16) & 0xff);
    }
    this.out(0x1f7, command);
  }

  /** Reads `bytes` from the data port by accesses of `size`. */
  data(bytes: number, size: 2 | 4 = 2): Uint8Array {
    const result = new Uint8Array(bytes);
    const view = new DataView(result.buffer);
    for (let at = 0; at < bytes; at += size) {
      const value = this.in(0x1f0, size);
      if (size === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
    }
    return result;
  }

  /** Writes `bytes` to the data port. */
  give(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += 2) this.out(0x1f0, view.getUint16(at, true), 2);
  }

  get status(): number {
    return this.in(0x3f6);
  }

  get error(): number {
    return this.in(0x1f1);
  }

  /** A PRD table at {@link TABLE}; `flags` 0x8000 ends it. */
  table(...entries: readonly (readonly [base: number, bytes: number, flags?: number])[]): void {
    entries.forEach(([base, bytes, flags = 0], i) => {
      this.region.view.setUint32(TABLE + i * 8, base, true);
      this.region.view.setUint32(TABLE + i * 8 + 4, ((flags << 16) | (bytes & 0xffff)) >>> 0, true);
    });
  }

  /** Starts the bus master of the primary channel with the table at {@link TABLE}. */
  startMaster(command = 0x09, table = TABLE): void {
    this.out(BUS_MASTER + 4, table, 4);
    this.out(BUS_MASTER, command & ~1);
    this.out(BUS_MASTER, command);
  }

  stopMaster(): void {
    this.out(BUS_MASTER, 0);
  }

  get masterStatus(): number {
    return this.in(BUS_MASTER + 2);
  }

  /** Guest memory that lies at `at`. */
  ram(at: number, length: number): Uint8Array {
    return this.region.bytes.slice(at, at + length);
  }

  #range(port: number): PciDecode | undefined {
    const key = [0x04, 0x20, 0x40].map((offset) => this.ide.readConfig(offset, 4)).join();
    if (key !== this.#decodesKey) {
      this.#decodesKey = key;
      this.#decodes = this.ide.decodes().filter(({ enabled }) => enabled);
    }
    return this.#decodes.find(({ base, length }) => port >= base && port < base + length);
  }
}

/** Sectors `first` to `first + count - 1` as they are at the start. */
export function sectors(first: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * 512);
  for (let i = 0; i < count; i++) bytes.set(FakeStorage.pattern(first + i), i * 512);
  return bytes;
}
