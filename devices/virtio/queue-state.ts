/**
 * What is known of one queue, in shared memory: what the driver told the transport, and how far the device is. The
 * transport writes the first while the queue is off; whoever serves the queue the second while it is on.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 4.1.4.3 "Common configuration structure layout"
 */
import type { SharedArena } from "../../shared/arena.js";
import { words } from "../chip-state.js";
import { NO_VECTOR } from "./virtio-abi.js";

const W = words([
  "size",
  "vector",
  "enabled",
  "descLow",
  "descHigh",
  "driverLow",
  "driverHigh",
  "deviceLow",
  "deviceHigh",
  "nextAvail",
  "nextUsed",
  "signalledUsed",
]);
const WORDS = 12;
const TWO_32 = 0x1_0000_0000;

/** The addresses that a driver gives, in halves. */
export type QueueAddress = "descLow" | "descHigh" | "driverLow" | "driverHigh" | "deviceLow" | "deviceHigh";

export class QueueState {
  /** Most descriptors that the driver may choose. */
  readonly maxSize: number;
  /** For saving. */
  readonly words: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, maxSize: number) {
    this.maxSize = maxSize;
    this.words = arena.int32(WORDS);
  }

  reset(): void {
    this.words.fill(0);
    this.words[W.size] = this.maxSize;
    this.words[W.vector] = NO_VECTOR;
  }

  /** Descriptors: a power of two. */
  get size(): number {
    return this.words[W.size] ?? 0;
  }

  set size(value: number) {
    this.words[W.size] = value;
  }

  /** MSI-X vector of the queue's interrupts. It may change at any time. */
  get vector(): number {
    return Atomics.load(this.words, W.vector);
  }

  set vector(value: number) {
    Atomics.store(this.words, W.vector, value);
  }

  get enabled(): boolean {
    return Atomics.load(this.words, W.enabled) !== 0;
  }

  enable(): void {
    Atomics.store(this.words, W.enabled, 1);
  }

  address(half: QueueAddress): number {
    return (this.words[W[half]] ?? 0) >>> 0;
  }

  setAddress(half: QueueAddress, value: number): void {
    this.words[W[half]] = value;
  }

  /** Guest-physical address of the descriptor table; above 2^53 it is rounded, and no memory is there. */
  get descriptors(): number {
    return this.address("descLow") + this.address("descHigh") * TWO_32;
  }

  /** Of the available ring, which the driver writes. */
  get driverArea(): number {
    return this.address("driverLow") + this.address("driverHigh") * TWO_32;
  }

  /** Of the used ring, which the device writes. */
  get deviceArea(): number {
    return this.address("deviceLow") + this.address("deviceHigh") * TWO_32;
  }

  /** Index in the available ring of the next chain to take, 0..0xffff, as the two that follow. */
  get nextAvail(): number {
    return this.words[W.nextAvail] ?? 0;
  }

  set nextAvail(value: number) {
    this.words[W.nextAvail] = value & 0xffff;
  }

  /** Index in the used ring of the next chain to give back. */
  get nextUsed(): number {
    return this.words[W.nextUsed] ?? 0;
  }

  set nextUsed(value: number) {
    this.words[W.nextUsed] = value & 0xffff;
  }

  /** `nextUsed` at the last question whether the driver wants an interrupt. */
  get signalledUsed(): number {
    return this.words[W.signalledUsed] ?? 0;
  }

  set signalledUsed(value: number) {
    this.words[W.signalledUsed] = value & 0xffff;
  }
}
