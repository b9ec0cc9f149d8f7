/**
 * The guest's side of a block ring, for specs: memory with canaries, a grant table that counts, a front end that writes
 * requests byte by byte from the numbers of blkif.h and ring.h, and a disk image in memory.
 */
import assert from "node:assert/strict";
import { gpa } from "../../../shared/brand.js";
import type { EvtchnPort } from "../../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../../shared/memory.js";
import { BlkifBackend } from "../../../devices/xen-disk/blkif-backend.js";
import type { BlkifOptions } from "../../../devices/xen-disk/blkif-backend.js";
import type { BlockBackend, BlockRequest } from "../../../devices/block-backend.js";
import type { RingConnection } from "../../../devices/xen-disk/disk-plane.js";
import type { GrantAccess } from "../../../devices/xen-disk/grant-cache.js";

export const PAGE = 4096;
/** Frames of each of the two regions. The second starts at 4 GiB, as high RAM does. */
const FRAMES = 192;
const HIGH = 0x1_0000_0000;

/** Guest memory of two regions, filled with a pattern. */
export class TestMemory {
  readonly low = new MemoryRegion(gpa(0), FRAMES * PAGE, new SharedArrayBuffer(FRAMES * PAGE));
  readonly high = new MemoryRegion(gpa(HIGH), FRAMES * PAGE, new SharedArrayBuffer(FRAMES * PAGE));
  readonly memory = new GuestMemory([this.low, this.high]);
  readonly frameCount = 2 * FRAMES;

  constructor() {
    for (let frame = 0; frame < this.frameCount; frame++) this.page(frame).fill(0xa0 + (frame % 7));
  }

  /** Frame number `frame` counts low frames first, then high ones. */
  address(frame: number): number {
    return frame < FRAMES ? frame * PAGE : HIGH + (frame - FRAMES) * PAGE;
  }

  page(frame: number): Uint8Array {
    const region = frame < FRAMES ? this.low : this.high;
    const start = (frame % FRAMES) * PAGE;
    return region.bytes.subarray(start, start + PAGE);
  }
}

/** A grant table: what is granted, and how often each is mapped. */
export class TestGrants implements GrantAccess {
  readonly entries = new Map<number, { address: number; readOnly: boolean }>();
  readonly mapped = new Map<string, number>();
  maps = 0;

  grant(ref: number, address: number, readOnly = false): void {
    this.entries.set(ref, { address, readOnly });
  }

  map(ref: number, writable: boolean): number {
    const entry = this.entries.get(ref);
    if (entry === undefined || (writable && entry.readOnly)) return -1;
    const key = `${ref} ${writable}`;
    this.mapped.set(key, (this.mapped.get(key) ?? 0) + 1);
    this.maps++;
    return entry.address;
  }

  unmap(ref: number, writable: boolean): void {
    const key = `${ref} ${writable}`;
    const count = this.mapped.get(key) ?? 0;
    assert.ok(count > 0, `grant ${key} is unmapped more often than mapped`);
    if (count === 1) this.mapped.delete(key);
    else this.mapped.set(key, count - 1);
  }

  /** Mappings that are held now. */
  get held(): number {
    let sum = 0;
    for (const count of this.mapped.values()) sum += count;
    return sum;
  }
}

/** A disk image in memory. Requests complete inside submit, or when `completeAll` or `completeAt` says so. */
export class TestStorage implements BlockBackend {
  readonly image: Uint8Array;
  readOnly = false;
  discards = true;
  deferred = false;
  /** The errno that operations end with. */
  error = 0;
  readonly pending: BlockRequest[] = [];
  /** What was submitted: "read 0+4096". */
  readonly log: string[] = [];
  sectors: number;

  constructor(sectors = 2048) {
    this.sectors = sectors;
    this.image = new Uint8Array(sectors * 512);
    for (let i = 0; i < this.image.length; i++) this.image[i] = (i * 31 + (i >>> 9)) & 0xff;
  }

  submit(request: BlockRequest): void {
    const name = ["read", "write", "flush", "discard", "write-zeroes"][request.op] ?? "?";
    this.log.push(request.op === 2 ? name : `${name} ${request.offset}+${request.length}`);
    if (this.deferred) this.pending.push(request);
    else this.#finish(request);
  }

  completeAt(index: number): void {
    const [request] = this.pending.splice(index, 1);
    if (request !== undefined) this.#finish(request);
  }

  completeAll(): void {
    while (this.pending.length > 0) this.completeAt(0);
  }

  #finish(request: BlockRequest): void {
    if (this.error === 0) this.#transfer(request);
    request.complete(this.error);
  }

  #transfer(request: BlockRequest): void {
    let at = request.offset;
    if (request.op >= 3) this.image.fill(0, at, at + request.length);
    for (let i = 0; i < request.segmentCount; i++) {
      const region = request.regions[i];
      const offset = request.offsets[i] ?? 0;
      const length = request.lengths[i] ?? 0;
      assert.ok(region !== undefined && length > 0);
      const bytes = region.bytes.subarray(offset, offset + length);
      if (request.op === 0) bytes.set(this.image.subarray(at, at + length));
      else this.image.set(bytes, at);
      at += length;
    }
    if (request.op <= 1) assert.equal(at - request.offset, request.length);
  }
}

/** gref, first sector, last sector. */
export type Segment = readonly [gref: number, first: number, last: number];

export interface TestRequest {
  readonly op: number;
  readonly id?: bigint;
  readonly sector?: bigint;
  readonly segments?: readonly Segment[];
  /** Lies about the number of segments. */
  readonly count?: number;
}

export interface TestResponse {
  readonly id: bigint;
  readonly operation: number;
  readonly status: number;
}

/** Offsets of the two ABIs, from blkif.h compiled for each. */
const LAYOUT = {
  "x86_64-abi": { slot: 112, id: 8, sector: 16, segments: 24, discardCount: 24, grefs: 28 },
  "x86_32-abi": { slot: 108, id: 4, sector: 12, segments: 20, discardCount: 20, grefs: 24 },
} as const;

export class FrontEnd {
  readonly memory = new TestMemory();
  readonly grants = new TestGrants();
  readonly storage: TestStorage;
  readonly backend: BlkifBackend;
  readonly slots: number;
  readonly pages: readonly number[];
  readonly connection: RingConnection;
  notifications = 0;
  again = 0;
  readonly stopped: string[] = [];
  reqProd = 0;
  rspCons = 0;
  readonly #layout: (typeof LAYOUT)[keyof typeof LAYOUT];

  /** The ring's pages are odd frames from 1 on, in falling order so that no two touch; their grants are 1000, 1001... */
  constructor(options: FrontEndOptions = {}) {
    const abi = options.abi ?? "x86_64-abi";
    const order = options.order ?? 0;
    this.#layout = LAYOUT[abi];
    this.storage = options.storage ?? new TestStorage();
    this.pages = Array.from({ length: 1 << order }, (_, i) => 2 * ((1 << order) - i) - 1);
    this.slots = 2 ** Math.floor(Math.log2(((PAGE << order) - 64) / this.#layout.slot));
    this.pages.forEach((frame, i) => {
      this.grants.grant(1000 + i, this.memory.address(frame));
      this.memory.page(frame).fill(0);
    });
    this.connection = {
      ringRefs: this.pages.map((_, i) => 1000 + i),
      abi,
      persistent: options.persistent ?? false,
      port: 5 as EvtchnPort,
    };
    this.backend = new BlkifBackend(
      {
        grants: this.grants,
        memory: this.memory.memory,
        storage: this.storage,
        notify: () => {
          this.notifications++;
        },
        again: () => {
          this.again++;
        },
        stopped: (reason) => this.stopped.push(reason),
      },
      options.backend,
    );
    this.setWord(1, 1);
    this.setWord(3, 1);
  }

  connect(): this {
    assert.equal(this.backend.connect(this.connection), undefined);
    return this;
  }

  /** Grants data frame `frame` by a reference of the same number. Frames 64 and up are free of rings. */
  share(frame: number, readOnly = false): number {
    this.grants.grant(frame, this.memory.address(frame), readOnly);
    return frame;
  }

  /** Words 0 to 3: req_prod, req_event, rsp_prod, rsp_event. */
  word(index: number): number {
    return this.get(index * 4, 4);
  }

  setWord(index: number, value: number): void {
    this.set(index * 4, 4, value >>> 0);
  }

  get(at: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.page(at + i)[(at + i) % PAGE] ?? 0);
    return value;
  }

  set(at: number, size: number, value: number | bigint): void {
    for (let i = 0; i < size; i++)
      this.page(at + i)[(at + i) % PAGE] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
  }

  page(at: number): Uint8Array {
    return this.memory.page(this.pages[Math.floor(at / PAGE)] ?? 0);
  }

  slot(index: number): number {
    return 64 + (index & (this.slots - 1)) * this.#layout.slot;
  }

  /** Writes one request without showing it. */
  put(request: TestRequest): void {
    const at = this.slot(this.reqProd);
    const segments = request.segments ?? [];
    this.set(at, 1, request.op);
    this.set(at + 1, 1, request.count ?? segments.length);
    this.set(at + this.#layout.id, 8, request.id ?? 0n);
    this.set(at + this.#layout.sector, 8, request.sector ?? 0n);
    segments.slice(0, 11).forEach((segment, i) => {
      this.#putSegment(at + this.#layout.segments + 8 * i, segment);
    });
    this.reqProd = (this.reqProd + 1) >>> 0;
  }

  putDiscard(sector: bigint, count: bigint, options: { flag?: number; id?: bigint } = {}): void {
    const at = this.slot(this.reqProd);
    this.put({ op: 5, count: options.flag ?? 0, sector, id: options.id ?? 0n });
    this.set(at + this.#layout.discardCount, 8, count);
  }

  /** The descriptors go to frame `page`, granted as `page`. */
  putIndirect(request: TestRequest & { readonly page: number; readonly gref?: number }): void {
    const at = this.slot(this.reqProd);
    const segments = request.segments ?? [];
    this.put({ op: 6, id: request.id ?? 0n, sector: request.sector ?? 0n });
    this.set(at + 1, 1, request.op);
    this.set(at + 2, 2, request.count ?? segments.length);
    this.set(at + this.#layout.grefs, 4, request.gref ?? this.share(request.page));
    const page = this.memory.page(request.page);
    const view = new DataView(page.buffer, page.byteOffset, PAGE);
    segments.forEach(([gref, first, last], i) => {
      view.setUint32(8 * i, gref, true);
      view.setUint8(8 * i + 4, first);
      view.setUint8(8 * i + 5, last);
    });
  }

  /** Shows the requests and kicks; the responses that are there. */
  kick(): TestResponse[] {
    this.setWord(0, this.reqProd);
    this.backend.kick();
    return this.responses();
  }

  /** One request and its status. */
  run(request: TestRequest): number {
    this.put(request);
    const [response, ...more] = this.kick();
    assert.ok(response !== undefined && more.length === 0);
    return response.status;
  }

  responses(): TestResponse[] {
    const list: TestResponse[] = [];
    for (const prod = this.word(2); this.rspCons !== prod; this.rspCons = (this.rspCons + 1) >>> 0) {
      const at = this.slot(this.rspCons);
      const id = BigInt(this.get(at, 4)) | (BigInt(this.get(at + 4, 4)) << 32n);
      list.push({ id, operation: this.get(at + 8, 1), status: (this.get(at + 10, 2) << 16) >> 16 });
    }
    this.setWord(3, this.rspCons + 1);
    return list;
  }

  #putSegment(at: number, [gref, first, last]: Segment): void {
    this.set(at, 4, gref);
    this.set(at + 4, 1, first);
    this.set(at + 5, 1, last);
  }
}

export interface FrontEndOptions {
  readonly abi?: "x86_64-abi" | "x86_32-abi";
  readonly order?: number;
  readonly persistent?: boolean;
  readonly storage?: TestStorage;
  readonly backend?: BlkifOptions;
}
