/**
 * Writes to ports that KVM keeps in a ring instead of leaving the guest for each: of registers that only remember what was
 * written, so that nobody can tell when it happened. The ring is the machine's, and lies in each vCPU's run area.
 *
 * Whatever else makes a vCPU leave the guest comes after its writes before that: `drain` goes first. A write is taken out
 * of the ring once it has been carried out, so a vCPU that finds the ring empty comes after all that was in it.
 *
 * [KVM] 4.116 "KVM_(UN)REGISTER_COALESCED_MMIO"
 */
import type { AccessSize } from "../../shared/io.js";
import type { Lock } from "../../shared/lock.js";
import * as abi from "./kvm-abi.js";

/** Who carries writes out. */
export interface WriteSink {
  write(port: number, size: AccessSize, value: number): void;
}

const { offsets: HEAD } = abi.kvmCoalescedMmioRing;
const { offsets: ENTRY } = abi.kvmCoalescedMmio;
const ENTRIES = abi.KVM_COALESCED_MMIO_MAX;
const FIRST = HEAD.first / 4;
const LAST = HEAD.last / 4;

export class CoalescedWrites {
  readonly #lock: Lock;
  readonly #head: Int32Array<SharedArrayBuffer>;
  readonly #entries: DataView<SharedArrayBuffer>;
  readonly #sink: WriteSink;

  /** `lock` is the machine's; the ring lies at `offset`. */
  constructor(lock: Lock, buffer: SharedArrayBuffer, offset: number, sink: WriteSink) {
    this.#lock = lock;
    this.#head = new Int32Array(buffer, offset, 2);
    this.#entries = new DataView(buffer, offset + abi.kvmCoalescedMmioRing.size, ENTRIES * abi.kvmCoalescedMmio.size);
    this.#sink = sink;
  }

  /** Carries out what is in the ring. Costs two loads when that is nothing. */
  drain(): void {
    if (this.#isEmpty()) return;
    this.#lock.acquire();
    try {
      // What other vCPUs write meanwhile is theirs, once this vCPU's own are out
      for (let left = ENTRIES; left > 0 && !this.#isEmpty(); left--) this.#carryOutOne();
    } finally {
      this.#lock.release();
    }
  }

  #isEmpty(): boolean {
    return Atomics.load(this.#head, FIRST) === Atomics.load(this.#head, LAST);
  }

  #carryOutOne(): void {
    const first = Atomics.load(this.#head, FIRST) % ENTRIES;
    const at = first * abi.kvmCoalescedMmio.size;
    const port = this.#entries.getUint32(at + ENTRY.physAddr, true);
    const value = this.#entries.getUint32(at + ENTRY.data, true);
    const size = this.#entries.getUint32(at + ENTRY.len, true);
    if (size === 1) this.#sink.write(port, 1, value & 0xff);
    else if (size === 2) this.#sink.write(port, 2, value & 0xffff);
    else this.#sink.write(port, 4, value);
    Atomics.store(this.#head, FIRST, (first + 1) % ENTRIES);
  }
}
