/**
 * A virtio device's registers behind any transport, in shared memory: status, features, queues, and who serves them.
 *
 * The driver's side comes from vCPUs, through the transport. The device's side is one actor, or more: it claims the device
 * with {@link VirtioState.begin} for as long as it touches queues and buffers, so that a reset ends only when nothing of
 * the guest's memory is in use any more. Until then the status does not read as 0, for which drivers wait.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 2.1 "Device status field", 2.2 "Feature bits", 4.1.4.3
 */
import type { SharedArena } from "../../shared/arena.js";
import { Lock } from "../../shared/lock.js";
import { RegisterFile } from "../../shared/register-file.js";
import type { RegisterAccess } from "../../shared/register-file.js";
import { restoreChip, saveChip, words } from "../chip-state.js";
import type { ChipState } from "../chip-state.js";
import { QueueState } from "./queue-state.js";
import { Feature, NO_VECTOR, Status } from "./virtio-abi.js";
import type { VirtioDevice } from "./virtio-device.js";

export interface VirtioStateHost {
  /** Vectors that there are; a driver that names another gets none. */
  readonly vectors: number;
  /** Tells the driver of a used buffer. Without the lock. */
  interruptQueue(vector: number): void;
  /** Tells the driver that configuration or status changed. Without the lock. */
  interruptConfig(vector: number): void;
  /** Forgets interrupts that were raised. Under the lock. */
  clearInterrupts(): void;
}

/** struct virtio_pci_common_cfg. [VIRTIO] 4.1.4.3 */
export const COMMON = new RegisterFile(56, [
  ["deviceFeatureSelect", 4],
  ["deviceFeature", 4, "ro"],
  ["driverFeatureSelect", 4],
  ["driverFeature", 4],
  ["configVector", 2],
  ["queueCount", 2, "ro"],
  ["deviceStatus", 1],
  ["configGeneration", 1, "ro"],
  ["queueSelect", 2],
  ["queueSize", 2],
  ["queueVector", 2],
  ["queueEnable", 2],
  ["queueNotifyOffset", 2, "ro"],
  ["descLow", 4],
  ["descHigh", 4],
  ["driverLow", 4],
  ["driverHigh", 4],
  ["deviceLow", 4],
  ["deviceHigh", 4],
]);
export type CommonRegister = typeof COMMON extends RegisterFile<infer Name> ? Name : never;

/** Features of the queues, which every device has. [VIRTIO] 6 */
const QUEUE_FEATURES = [Feature.indirectDesc, Feature.eventIdx, Feature.version1] as const;
/** Bits that a driver sets. It can clear them only all together. [VIRTIO] 2.1.1 */
const DRIVER_BITS = Status.acknowledge | Status.driver | Status.driverOk | Status.featuresOk | Status.failed;

const W = words([
  "status",
  "accepted0",
  "accepted1",
  "deviceSelect",
  "driverSelect",
  "configVector",
  "generation",
  "queueSelect",
  "epoch",
  "claims",
  "resetting",
  "stopped",
]);
const WORDS = 12;
const VERSION = 1;

export class VirtioState implements RegisterAccess<CommonRegister> {
  readonly queues: readonly QueueState[];
  readonly #device: VirtioDevice;
  readonly #host: VirtioStateHost;
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Two words of bits. */
  readonly #offered: readonly [number, number];

  constructor(arena: SharedArena, device: VirtioDevice, host: VirtioStateHost) {
    this.#device = device;
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(WORDS);
    this.queues = device.queueSizes.map((size) => new QueueState(arena, size));
    const bits = [...QUEUE_FEATURES, ...device.features];
    const word = (from: number): number =>
      bits.reduce((value, bit) => (bit >= from && bit < from + 32 ? value | (1 << (bit - from)) : value), 0);
    this.#offered = [word(0), word(32)];
  }

  /** Whether the driver took feature `bit`. */
  accepted(bit: number): boolean {
    return (Atomics.load(this.#words, bit < 32 ? W.accepted0 : W.accepted1) & (1 << (bit & 31))) !== 0;
  }

  get status(): number {
    return Atomics.load(this.#words, W.status);
  }

  /** Changes whenever the driver starts the device anew, or one of its queues. */
  epoch(): number {
    return Atomics.load(this.#words, W.epoch);
  }

  /** Device's side: true when the driver has the device on; it stays so for us until the matching {@link end}. */
  begin(): boolean {
    return this.locked(() => {
      const { status } = this;
      const on = (status & Status.driverOk) !== 0 && (status & Status.needsReset) === 0 && !this.wantsRest;
      if (on) this.#words[W.claims] = (this.#words[W.claims] ?? 0) + 1;
      return on;
    });
  }

  /** Nothing of the guest's is in use any more, by this claim. */
  end(): void {
    this.locked(() => {
      const claims = (this.#words[W.claims] ?? 0) - 1;
      Atomics.store(this.#words, W.claims, claims);
      if (claims === 0) Atomics.notify(this.#words, W.claims);
      if (claims === 0 && this.#words[W.resetting] === 1) this.#finishReset();
    });
  }

  /** The driver waits for the device to let go: begin nothing new. */
  get wantsRest(): boolean {
    return Atomics.load(this.#words, W.resetting) !== 0 || Atomics.load(this.#words, W.stopped) !== 0;
  }

  /** Whether somebody has the device claimed. */
  get claimed(): boolean {
    return Atomics.load(this.#words, W.claims) > 0;
  }

  /** Another thread's: waits until nobody has the device claimed, or the time is over. */
  awaitRest(timeoutMs: number): boolean {
    const claims = Atomics.load(this.#words, W.claims);
    if (claims > 0) Atomics.wait(this.#words, W.claims, claims, timeoutMs);
    return !this.claimed;
  }

  /** Device's side: there are used buffers in queue `index` of which the driver wants to hear. */
  interrupt(index: number): void {
    const vector = this.queues[index]?.vector;
    if (vector !== undefined) this.#host.interruptQueue(vector);
  }

  /** Device's side: the device's configuration is another now. */
  configChanged(): void {
    Atomics.add(this.#words, W.generation, 1);
    if ((this.status & Status.driverOk) !== 0) this.#host.interruptConfig(this.#configVector);
  }

  /** Device's side: the driver broke a protocol, and the device serves nothing until it is reset. [VIRTIO] 2.1.2 */
  needReset(): void {
    const on = this.locked(() => {
      const { status } = this;
      Atomics.store(this.#words, W.status, status | Status.needsReset);
      return (status & Status.driverOk) !== 0;
    });
    if (on) this.#host.interruptConfig(this.#configVector);
  }

  /** Takes away the right to touch memory, or gives it back: the bus master bit. True when the device may go on now. */
  setStopped(stopped: boolean): boolean {
    return Atomics.exchange(this.#words, W.stopped, stopped ? 1 : 0) === 1 && !stopped;
  }

  /** A register of the common configuration; called by {@link COMMON}, under the lock. */
  read(register: CommonRegister): number {
    const queue = this.queues[this.#word(W.queueSelect)];
    switch (register) {
      case "deviceFeatureSelect":
        return this.#word(W.deviceSelect);
      case "deviceFeature":
        return (this.#offered[this.#word(W.deviceSelect)] ?? 0) >>> 0;
      case "driverFeatureSelect":
        return this.#word(W.driverSelect);
      case "driverFeature":
        return this.#word(W.driverSelect) > 1 ? 0 : this.#word(W.accepted0 + this.#word(W.driverSelect));
      case "configVector":
        return this.#word(W.configVector);
      case "queueCount":
        return this.queues.length;
      case "deviceStatus":
        return this.#word(W.status);
      case "configGeneration":
        return this.#word(W.generation) & 0xff;
      case "queueSelect":
        return this.#word(W.queueSelect);
      // A queue that is not there has size 0. [VIRTIO] 4.1.4.3.1
      case "queueSize":
        return queue?.size ?? 0;
      case "queueVector":
        return queue?.vector ?? NO_VECTOR;
      case "queueEnable":
        return queue?.enabled === true ? 1 : 0;
      case "queueNotifyOffset":
        return queue === undefined ? 0 : this.#word(W.queueSelect);
      default:
        return queue?.address(register) ?? 0;
    }
  }

  /** As {@link read}. */
  write(register: CommonRegister, value: number): void {
    if (this.#words[W.resetting] === 1) return;
    const queue = this.queues[this.#word(W.queueSelect)];
    switch (register) {
      case "deviceFeatureSelect":
        this.#words[W.deviceSelect] = value;
        return;
      case "driverFeatureSelect":
        this.#words[W.driverSelect] = value;
        return;
      case "driverFeature":
        this.#acceptFeatures(value);
        return;
      case "configVector":
        Atomics.store(this.#words, W.configVector, this.#vector(value));
        return;
      case "deviceStatus":
        this.#setStatus(value);
        return;
      case "queueSelect":
        this.#words[W.queueSelect] = value;
        return;
      case "queueVector":
        if (queue !== undefined) queue.vector = this.#vector(value);
        return;
      case "deviceFeature":
      case "queueCount":
      case "configGeneration":
      case "queueNotifyOffset":
        return;
      default:
        if (queue !== undefined && configureQueue(queue, register, value)) this.#bumpEpoch();
    }
  }

  /** The driver's access, from start to end, under the lock. */
  locked<T>(action: () => T): T {
    this.#lock.acquire();
    try {
      return action();
    } finally {
      this.#lock.release();
    }
  }

  /** Asks for a reset as a driver does: it is over when nobody has the device claimed. */
  requestReset(): void {
    this.locked(() => {
      this.#setStatus(0);
    });
  }

  /** Power-on state, with all at rest. */
  reset(): void {
    this.locked(() => {
      Atomics.store(this.#words, W.claims, 0);
      Atomics.store(this.#words, W.stopped, 1);
      this.#finishReset();
    });
  }

  /** With nobody serving the device. */
  save(): ChipState {
    return saveChip(VERSION, this.#words, ...this.queues.map((queue) => queue.words));
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words, ...this.queues.map((queue) => queue.words));
    // Rings are found anew, whatever their number was.
    this.#bumpEpoch();
  }

  get #configVector(): number {
    return Atomics.load(this.#words, W.configVector);
  }

  #word(index: number): number {
    return (this.#words[index] ?? 0) >>> 0;
  }

  #vector(value: number): number {
    return value < this.#host.vectors ? value : NO_VECTOR;
  }

  #acceptFeatures(value: number): void {
    const select = this.#word(W.driverSelect);
    // Settled once the driver said so. [VIRTIO] 2.2
    if (select > 1 || (this.status & Status.featuresOk) !== 0) return;
    Atomics.store(this.#words, W.accepted0 + select, value);
  }

  #setStatus(value: number): void {
    if (value === 0) {
      this.#words[W.resetting] = 1;
      if (!this.claimed) this.#finishReset();
      return;
    }
    let added = value & DRIVER_BITS & ~this.status;
    // A subset that we can work with, or the bit does not stick. [VIRTIO] 2.2.2, 6.2
    if ((added & Status.featuresOk) !== 0 && !this.#featuresUsable()) added &= ~Status.featuresOk;
    const featuresOk = ((this.status | added) & Status.featuresOk) !== 0;
    if (!featuresOk) added &= ~Status.driverOk;
    if ((added & Status.driverOk) !== 0) this.#bumpEpoch();
    Atomics.or(this.#words, W.status, added);
  }

  #featuresUsable(): boolean {
    const strange = (this.#word(W.accepted0) & ~this.#offered[0]) | (this.#word(W.accepted1) & ~this.#offered[1]);
    return strange === 0 && this.accepted(Feature.version1);
  }

  #bumpEpoch(): void {
    Atomics.add(this.#words, W.epoch, 1);
  }

  #finishReset(): void {
    for (const index of [W.accepted0, W.accepted1, W.deviceSelect, W.driverSelect, W.generation, W.queueSelect]) {
      this.#words[index] = 0;
    }
    Atomics.store(this.#words, W.configVector, NO_VECTOR);
    for (const queue of this.queues) queue.reset();
    this.#bumpEpoch();
    this.#device.reset();
    this.#host.clearInterrupts();
    Atomics.store(this.#words, W.resetting, 0);
    Atomics.store(this.#words, W.status, 0);
  }
}

/** Nothing of a queue changes once it is on. True when it has just been switched on. [VIRTIO] 4.1.4.3.2 */
function configureQueue(
  queue: QueueState,
  register:
    "queueSize" | "queueEnable" | "descLow" | "descHigh" | "driverLow" | "driverHigh" | "deviceLow" | "deviceHigh",
  value: number,
): boolean {
  if (queue.enabled) return false;
  if (register === "queueEnable") {
    if (value === 1) queue.enable();
    return value === 1;
  }
  if (register === "queueSize") {
    if (value > 0 && value <= queue.maxSize && (value & (value - 1)) === 0) queue.size = value;
  } else {
    queue.setAddress(register, value);
  }
  return false;
}
