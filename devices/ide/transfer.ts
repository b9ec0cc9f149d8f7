/**
 * Moving a command's data between guest and storage: the sector buffer behind the data port, and DMA.
 *
 * The buffer takes many sectors for one trip to the disk actor. While it holds data, or room, the next block is there as
 * soon as the guest is through with one. All state is in shared memory, touched under the channel's lock.
 *
 * [ATA-6] T13/1410D, 9.5 "PIO data-in command protocol", 9.6 "PIO data-out", 9.7 "DMA command protocol", 9.8 "PACKET"
 */
import type { SharedArena } from "../../shared/arena.js";
import { gpa, PAGE_SIZE } from "../../shared/brand.js";
import { allOnes, repeatRead, repeatWrite } from "../../shared/io.js";
import type { AccessSize } from "../../shared/io.js";
import { MemoryRegion } from "../../shared/memory.js";
import { words } from "../chip-state.js";
import type { BusMaster } from "./bus-master.js";
import { Abandon, JobOp } from "./job.js";
import type { AbandonCode, JobOpCode, JobResult, JobSlot } from "./job.js";

export interface TransferHost {
  /** A block of `bytes` awaits the guest at the data port. The first one of a write raises no interrupt. */
  blockReady(bytes: number, interrupt: boolean): void;
  /** The drive is busy: nothing is to be had at the data port. */
  busy(): void;
  /** All data has moved. */
  done(interrupt: boolean): void;
  /** What was asked of the storage failed at byte `offset` of it, with the host's `errno`. */
  failed(offset: number, errno: number): void;
  /** The guest has written a packet: the first 12 bytes of the buffer. */
  packetReceived(): void;
  /** There is a job for the drive's actor. */
  kick(): void;
  /** PCI lets the controller access memory. */
  mayMaster(): boolean;
}

/** Bytes of the buffer: a multiple of every block, and what a packet device may answer at once. */
export const BUFFER_BYTES = 64 * 1024;
export const PACKET_BYTES = 12;

const Phase = { idle: 0, in: 1, out: 2, packet: 3, dma: 4, busy: 5 } as const;
/** `filled`: bytes of the buffer that hold data, or are to be filled; `at`: the data port's place; `block`: end of the present block. */
const W = words(["phase", "unit", "at", "block", "filled", "blockBytes", "errno", "op", "flush"]);
/** Bytes: where in the storage the next job begins, and how many are left for jobs. */
const F = words(["next", "left"]);

export class Transfer {
  /** The buffer as memory that storage can read into and write from. */
  readonly buffer: MemoryRegion;
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly numbers: Float64Array<SharedArrayBuffer>;
  readonly #job: JobSlot;
  readonly #master: BusMaster;
  readonly #host: TransferHost;

  constructor(arena: SharedArena, parts: { readonly job: JobSlot; readonly master: BusMaster }, host: TransferHost) {
    this.words = arena.int32(9);
    this.numbers = arena.float64(2);
    this.buffer = new MemoryRegion(gpa(0), BUFFER_BYTES, arena.buffer, arena.reserve(BUFFER_BYTES, PAGE_SIZE));
    this.#job = parts.job;
    this.#master = parts.master;
    this.#host = host;
  }

  /** The drive whose command is under way. */
  get unit(): number {
    return this.#word(W.unit);
  }

  get active(): boolean {
    return this.#word(W.phase) !== Phase.idle;
  }

  /** Bytes of the buffer that matter. */
  get filled(): number {
    return this.#word(W.filled);
  }

  reset(): void {
    this.words.fill(0);
    this.numbers.fill(0);
  }

  /** Forgets what is under way; the job is somebody else's to end. */
  cancel(): void {
    this.words[W.phase] = Phase.idle;
  }

  /** `bytes` that are in the buffer go to the guest, in blocks of at most `blockBytes`. */
  beginData(unit: number, bytes: number, blockBytes: number): void {
    this.#begin(unit, { offset: 0, length: 0, blockBytes });
    this.words[W.filled] = bytes;
    this.words[W.phase] = Phase.in;
    this.#openBlock(true);
  }

  /** `length` bytes of the storage from `offset` on go to the guest through the data port. */
  beginRead(unit: number, range: ByteRange): void {
    this.#begin(unit, range);
    this.#fetch();
  }

  /** `length` bytes from the data port go to the storage at `offset`. */
  beginWrite(unit: number, range: ByteRange, flush: boolean): void {
    this.#begin(unit, range);
    this.words[W.flush] = flush ? 1 : 0;
    this.#accept(false);
  }

  /** The guest writes a packet. */
  beginPacket(unit: number): void {
    this.#begin(unit, { offset: 0, length: 0, blockBytes: PACKET_BYTES });
    this.words[W.filled] = PACKET_BYTES;
    this.words[W.phase] = Phase.packet;
    this.#openBlock(false);
  }

  /** A transfer by bus master: it starts once the start bit is set, which may be before the command or after it. */
  beginDma(unit: number, op: JobOpCode, range: Omit<ByteRange, "blockBytes">, flush = false): void {
    this.#begin(unit, { ...range, blockBytes: 0 });
    this.words[W.op] = op;
    this.words[W.flush] = flush ? 1 : 0;
    if (op === JobOp.dmaBuffer) this.words[W.filled] = range.length;
    this.words[W.phase] = Phase.dma;
    this.#host.busy();
    this.tryDma();
  }

  /** A command that moves no data to or from the guest. */
  beginJob(unit: number, op: JobOpCode, range: Omit<ByteRange, "blockBytes">): void {
    this.#begin(unit, { ...range, blockBytes: 0 });
    this.words[W.op] = op;
    this.words[W.phase] = Phase.busy;
    this.#host.busy();
    this.#post(op, range.length);
  }

  /** The start bit, or PCI's leave to access memory, was set. */
  tryDma(): void {
    if (this.#word(W.phase) !== Phase.dma || this.#job.busy) return;
    if (this.#master.armed && this.#host.mayMaster()) this.#post(this.#word(W.op) as JobOpCode, this.#left);
  }

  /** The start bit was cleared: what has not moved stays for the next start. */
  stopDma(): void {
    const moving = this.#word(W.phase) === Phase.dma && this.#job.busy;
    if (!moving || this.#job.abandon(Abandon.stop)) this.#master.idle();
  }

  /** The actor is through with the job, which was to be given up for `abandoned`, unless that is 0. */
  jobEnded(result: JobResult, abandoned: AbandonCode): void {
    if (abandoned === Abandon.stop) this.#master.idle();
    const offset = this.#number(F.next);
    this.numbers[F.next] = offset + result.done;
    this.numbers[F.left] = this.#left - result.done;
    switch (this.#word(W.phase)) {
      case Phase.in:
        this.#fetched(result);
        break;
      case Phase.out:
        if (result.error !== 0) this.#fail(result.error);
        else if (this.#left > 0) this.#accept(true);
        else this.#finish(true);
        break;
      case Phase.dma:
        this.#dmaEnded(result);
        break;
      case Phase.busy:
        if (result.error !== 0) this.#fail(result.error);
        else this.#finish(true);
        break;
      default:
        break;
    }
  }

  /** The data port, read; all ones while there is no data. */
  read(size: AccessSize): number {
    if (!this.#ready(Phase.in)) return allOnes(size);
    const at = this.#word(W.at);
    const block = this.#word(W.block);
    const value = this.#load(at, Math.min(size, block - at));
    // The port is 16 bits wide: a byte access takes a word all the same.
    this.#advance(at + Math.max(2, size));
    return value;
  }

  /** The data port, written; nothing happens while no data is wanted. */
  write(size: AccessSize, value: number): void {
    if (!this.#ready(Phase.out) && !this.#ready(Phase.packet)) return;
    const at = this.#word(W.at);
    const end = Math.min(at + Math.max(2, size), this.#word(W.block));
    for (let byte = at, rest = value; byte < end; byte++, rest >>>= 8) this.buffer.bytes[byte] = rest;
    this.#advance(end);
  }

  /** `rep ins` at the data port: as {@link read}, as often as `data` has room. */
  readRepeated(size: AccessSize, data: Uint8Array): void {
    let done = 0;
    while (done < data.length && this.#ready(Phase.in)) {
      const at = this.#word(W.at);
      const whole = wholeAccesses(this.#word(W.block) - at, size);
      if (whole === 0) {
        repeatRead(data.subarray(done, done + size), size, () => this.read(size));
        done += size;
        continue;
      }
      const length = Math.min(whole, data.length - done);
      data.set(this.buffer.bytes.subarray(at, at + length), done);
      done += length;
      this.#advance(at + length);
    }
    data.fill(0xff, done);
  }

  /** `rep outs` at the data port: as {@link write}, with all of `data`. */
  writeRepeated(size: AccessSize, data: Uint8Array): void {
    for (let done = 0; done < data.length && (this.#ready(Phase.out) || this.#ready(Phase.packet));) {
      const at = this.#word(W.at);
      const whole = wholeAccesses(this.#word(W.block) - at, size);
      if (whole === 0) {
        repeatWrite(data.subarray(done, done + size), size, (value) => {
          this.write(size, value);
        });
        done += size;
        continue;
      }
      const length = Math.min(whole, data.length - done);
      this.buffer.bytes.set(data.subarray(done, done + length), at);
      done += length;
      this.#advance(at + length);
    }
  }

  #begin(unit: number, { offset, length, blockBytes }: ByteRange): void {
    this.words.fill(0);
    this.words[W.unit] = unit;
    this.words[W.blockBytes] = blockBytes;
    this.numbers[F.next] = offset;
    this.numbers[F.left] = length;
  }

  get #left(): number {
    return this.#number(F.left);
  }

  /** Asks for the next part of a read. */
  #fetch(): void {
    this.words[W.phase] = Phase.in;
    this.#clear(0);
    this.#host.busy();
    this.#post(JobOp.read, Math.min(this.#left, BUFFER_BYTES));
  }

  #fetched({ done, error }: JobResult): void {
    this.#clear(done);
    this.words[W.errno] = error;
    if (done > 0) this.#openBlock(true);
    else this.#fail(error);
  }

  /** Wants the next part of a write from the guest. */
  #accept(interrupt: boolean): void {
    this.words[W.phase] = Phase.out;
    this.#clear(Math.min(this.#left, BUFFER_BYTES));
    this.#openBlock(interrupt);
  }

  #clear(filled: number): void {
    this.words[W.at] = 0;
    this.words[W.block] = 0;
    this.words[W.filled] = filled;
  }

  #openBlock(interrupt: boolean): void {
    const at = this.#word(W.at);
    const block = Math.min(at + this.#word(W.blockBytes), this.filled);
    this.words[W.block] = block;
    this.#host.blockReady(block - at, interrupt);
  }

  #ready(phase: number): boolean {
    return this.#word(W.phase) === phase && this.#word(W.at) < this.#word(W.block);
  }

  #advance(at: number): void {
    const block = this.#word(W.block);
    if (at < block) {
      this.words[W.at] = at;
      return;
    }
    this.words[W.at] = block;
    if (block < this.filled) this.#openBlock(true);
    else this.#bufferEnded();
  }

  /** The guest has taken, or given, all that the buffer holds. */
  #bufferEnded(): void {
    const phase = this.#word(W.phase);
    if (phase === Phase.packet) {
      this.cancel();
      this.#host.packetReceived();
    } else if (phase === Phase.out) {
      this.#host.busy();
      this.#post(JobOp.write, this.filled);
    } else if (this.#word(W.errno) !== 0) this.#fail(this.#word(W.errno));
    else if (this.#left > 0) this.#fetch();
    else this.#finish(false);
  }

  #dmaEnded({ error, dma }: JobResult): void {
    if (error !== 0) {
      this.#master.leftOver();
      this.#fail(error);
    } else if (dma === "exact" || dma === "more") {
      if (dma === "exact") this.#master.idle();
      else this.#master.leftOver();
      this.#finish(true);
    } else if (dma === "fault") {
      this.#master.fault();
    } else if (dma === "short") {
      this.#master.idle();
    } else {
      // Stopped: maybe it has been started again meanwhile.
      if (this.#master.started) this.#master.restarted();
      this.tryDma();
    }
  }

  #finish(interrupt: boolean): void {
    this.cancel();
    this.#host.done(interrupt);
  }

  #fail(errno: number): void {
    this.cancel();
    this.#host.failed(this.#number(F.next), errno);
  }

  #post(op: JobOpCode, length: number): void {
    const flush = this.#word(W.flush) === 1 && length === this.#left;
    this.#job.post(this.unit, { op, offset: this.#number(F.next), length, table: this.#master.table, flush });
    this.#host.kick();
  }

  #load(at: number, length: number): number {
    const { view } = this.buffer;
    if (length === 2) return view.getUint16(at, true);
    if (length === 4) return view.getUint32(at, true);
    let value = 0;
    for (let byte = 0; byte < length; byte++) value |= (this.buffer.bytes[at + byte] ?? 0) << (byte * 8);
    return value;
  }

  #word(index: number): number {
    return this.words[index] ?? 0;
  }

  #number(index: number): number {
    return this.numbers[index] ?? 0;
  }
}

/** Bytes that accesses of `size` move without a special case. Single bytes are one: each takes a word. */
function wholeAccesses(bytes: number, size: AccessSize): number {
  return size === 1 ? 0 : bytes - (bytes % size);
}

/** Bytes of the storage, and how many of them make a block at the data port. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
  readonly blockBytes: number;
}
