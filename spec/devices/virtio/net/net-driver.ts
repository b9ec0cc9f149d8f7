/** A driver of a virtio network card, for specs: rings and buffers in guest memory, and a wire that keeps what it gets. */
import { SharedArena } from "../../../../shared/arena.js";
import { gpa } from "../../../../shared/brand.js";
import { GuestMemory, MemoryRegion } from "../../../../shared/memory.js";
import type { MemorySegments } from "../../../../shared/memory.js";
import type { NetWire } from "../../../../devices/net/wire.js";
import { NetPlane } from "../../../../devices/virtio/net/net-plane.js";
import { VirtioNet } from "../../../../devices/virtio/net/virtio-net.js";
import { VirtioState } from "../../../../devices/virtio/virtio-state.js";

const RAM_BYTES = 0x20_0000;
const ARENA_BYTES = 64 * 1024;
/** Each queue has its rings in 64 KiB of its own, from the second on. */
const RINGS = 0x1_0000;
const AVAIL = 0x2000;
const USED = 0x3000;
/** Buffers of specs start here. */
export const BUFFERS = 0x5_0000;

/** Feature bits. [VIRTIO] 5.1.3, 6 */
export const F = {
  csum: 0,
  guestCsum: 1,
  ctrlGuestOffloads: 2,
  mac: 5,
  guestTso4: 7,
  guestTso6: 8,
  guestEcn: 9,
  mrgRxbuf: 15,
  status: 16,
  ctrlVq: 17,
  ctrlRx: 18,
  ctrlVlan: 19,
  guestAnnounce: 21,
  eventIdx: 29,
} as const;
/** [VIRTIO] 5.1.2 */
export const RX = 0;
export const TX = 1;
export const CTRL = 2;
const NEXT = 1;
const WRITE = 2;

/** A wire whose other end is the spec. */
export class TestWire implements NetWire {
  readonly header: boolean;
  /** Frames that were sent, as their bytes were at the time. */
  readonly sent: Uint8Array[] = [];
  /** Frames that wait to be received. */
  readonly arrivals: Uint8Array[] = [];
  /** At most so many bytes of a frame come at once. */
  chunk = Infinity;
  /** Frames that it takes before it is full. */
  room = Infinity;
  offloads: number | undefined;
  #done = 0;

  constructor(header = false) {
    this.header = header;
  }

  get full(): boolean {
    return this.room === 0;
  }

  send(frame: MemorySegments, skip: number): void {
    this.room--;
    const bytes: number[] = [];
    for (let i = 0; i < frame.segmentCount; i++) {
      const at = frame.offsets[i] ?? 0;
      bytes.push(...(frame.regions[i]?.bytes.subarray(at, at + (frame.lengths[i] ?? 0)) ?? []));
    }
    this.sent.push(Uint8Array.from(bytes.slice(skip)));
  }

  arriving(): number {
    return this.arrivals[0]?.length ?? 0;
  }

  receive(into: MemorySegments, skip: number): boolean {
    const frame = this.arrivals[0] ?? new Uint8Array();
    const end = Math.min(frame.length, this.#done + this.chunk);
    let at = 0;
    for (let i = 0; i < into.segmentCount; i++) {
      const region = into.regions[i];
      for (let k = 0; k < (into.lengths[i] ?? 0); k++, at++) {
        const index = at - skip;
        if (index < this.#done || index >= end) continue;
        if (region !== undefined) region.bytes[(into.offsets[i] ?? 0) + k] = frame[index] ?? 0;
      }
    }
    if (at - skip < end) throw new RangeError("A frame was given too little room");
    this.#done = end;
    if (end < frame.length) return false;
    this.discard();
    return true;
  }

  discard(): void {
    this.#done = 0;
    this.arrivals.shift();
  }

  setOffloads(offloads: number): void {
    this.offloads = offloads;
  }
}

export class NetDriver {
  readonly ram = new MemoryRegion(gpa(0), RAM_BYTES, new SharedArrayBuffer(RAM_BYTES));
  readonly memory = new GuestMemory([this.ram]);
  readonly net: VirtioNet;
  readonly state: VirtioState;
  readonly wire: TestWire;
  readonly plane: NetPlane;
  /** Queues and "config", in the order of their interrupts. */
  readonly interrupts: (number | "config")[] = [];
  readonly broken: string[] = [];
  kicks = 0;
  readonly #available = [0, 0, 0];
  readonly #descriptors = [0, 0, 0];
  #queueSize = 256;

  constructor({ offloads = false, mac = "52:54:00:12:34:56" }: { offloads?: boolean; mac?: string } = {}) {
    const arena = new SharedArena(new SharedArrayBuffer(ARENA_BYTES));
    this.net = new VirtioNet(
      arena,
      { name: "virtio-net-3", mac, offloads },
      {
        kick: () => {
          this.kicks++;
        },
      },
    );
    this.state = new VirtioState(arena, this.net, {
      vectors: 4,
      interruptQueue: (vector) => {
        this.interrupts.push(vector - 1);
      },
      interruptConfig: () => {
        this.interrupts.push("config");
      },
      clearInterrupts: () => undefined,
    });
    this.state.reset();
    this.state.setStopped(false);
    this.wire = new TestWire(offloads);
    this.plane = new NetPlane(this.net, this.wire, {
      memory: this.memory,
      state: this.state,
      broken: (reason) => {
        this.broken.push(reason);
      },
    });
  }

  /** Resets the card and starts it with `features` and queues of `queueSize`, as a driver does. */
  start(
    features: readonly number[] = [F.mac, F.status, F.mrgRxbuf, F.ctrlVq, F.ctrlRx, F.ctrlVlan],
    queueSize = 256,
  ): void {
    const { state } = this;
    state.write("deviceStatus", 0);
    state.write("deviceStatus", 1);
    state.write("deviceStatus", 3);
    for (const select of [0, 1]) {
      const bits = [...features, 32].filter((bit) => bit >> 5 === select);
      state.write("driverFeatureSelect", select);
      state.write("driverFeature", bits.reduce((word, bit) => word | (1 << (bit & 31)), 0) >>> 0);
    }
    state.write("deviceStatus", 11);
    this.#queueSize = queueSize;
    for (const queue of [RX, TX, CTRL]) {
      this.#available[queue] = 0;
      this.#descriptors[queue] = 0;
      this.ram.bytes.fill(0, base(queue), base(queue) + RINGS);
      state.write("queueSelect", queue);
      state.write("queueSize", Math.min(queueSize, queue === CTRL ? 64 : 256));
      state.write("descLow", base(queue));
      state.write("driverLow", base(queue) + AVAIL);
      state.write("deviceLow", base(queue) + USED);
      state.write("queueVector", queue + 1);
      state.write("queueEnable", 1);
    }
    state.write("deviceStatus", 15);
  }

  /** Makes a chain of `[address, length]` pieces available. Its head is given back. */
  offer(queue: number, readable: readonly Piece[], writable: readonly Piece[] = []): number {
    const size = this.#size(queue);
    const head = (this.#descriptors[queue] ?? 0) % size;
    const pieces = [...readable, ...writable];
    for (const [i, [address, length]] of pieces.entries()) {
      const at = base(queue) + ((head + i) % size) * 16;
      this.ram.view.setBigUint64(at, BigInt(address), true);
      this.ram.view.setUint32(at + 8, length, true);
      const flags = (i + 1 < pieces.length ? NEXT : 0) | (i >= readable.length ? WRITE : 0);
      this.ram.view.setUint16(at + 12, flags, true);
      this.ram.view.setUint16(at + 14, (head + i + 1) % size, true);
    }
    this.#descriptors[queue] = head + pieces.length;
    const available = this.#available[queue] ?? 0;
    this.ram.view.setUint16(base(queue) + AVAIL + 4 + (available % size) * 2, head, true);
    this.#available[queue] = available + 1;
    this.ram.view.setUint16(base(queue) + AVAIL + 2, (available + 1) & 0xffff, true);
    return head;
  }

  /** Puts `frame` behind a header of zeros into guest memory at `address` and offers it for sending, in two pieces. */
  send(frame: Uint8Array, address = BUFFERS): number {
    this.ram.bytes.fill(0, address, address + 12);
    this.ram.bytes.set(frame, address + 12);
    return this.offer(TX, [
      [address, 12],
      [address + 12, frame.length],
    ]);
  }

  /** Runs a command of the control queue; its answer. */
  command(...bytes: readonly number[]): number {
    this.ram.bytes.set(bytes, BUFFERS);
    this.ram.bytes[BUFFERS + 0x1_0000] = 0xff;
    this.offer(CTRL, [[BUFFERS, bytes.length]], [[BUFFERS + 0x1_0000, 1]]);
    this.plane.transfer();
    return this.ram.bytes[BUFFERS + 0x1_0000] ?? -1;
  }

  /** What has come back: head and written bytes of each chain. */
  used(queue: number): readonly (readonly [head: number, written: number])[] {
    const at = base(queue) + USED;
    const count = this.ram.view.getUint16(at + 2, true);
    return Array.from({ length: count }, (_, i) => {
      const element = at + 4 + (i % this.#size(queue)) * 8;
      return [this.ram.view.getUint32(element, true), this.ram.view.getUint32(element + 4, true)];
    });
  }

  bytes(address: number, length: number): Uint8Array {
    return this.ram.bytes.slice(address, address + length);
  }

  /** Writes anything into queue `queue`'s memory: descriptors at 0, the available ring at 0x2000. */
  poke(queue: number, offset: number, ...bytes: readonly number[]): void {
    this.ram.bytes.set(bytes, base(queue) + offset);
  }

  usedFlags(queue: number): number {
    return this.ram.view.getUint16(base(queue) + USED, true);
  }

  availEvent(queue: number): number {
    return this.ram.view.getUint16(base(queue) + USED + 4 + this.#size(queue) * 8, true);
  }

  #size(queue: number): number {
    return Math.min(this.#queueSize, queue === CTRL ? 64 : 256);
  }
}

export type Piece = readonly [address: number, length: number];

function base(queue: number): number {
  return RINGS * (queue + 1);
}
