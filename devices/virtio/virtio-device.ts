/** What makes one kind of virtio device: declared as data, with the few calls that its transport makes. */
import type { AccessSize } from "../../shared/io.js";
import type { ChipState } from "../chip-state.js";

export interface VirtioDevice {
  /** Short, stable, one of its own in each machine: "virtio-blk-3". */
  readonly name: string;
  /** [VIRTIO] 5 */
  readonly type: number;
  /** Class, subclass and programming interface of the PCI function, 24 bits. */
  readonly classCode: number;
  /** Numbers of the feature bits that it offers beyond the transport's. */
  readonly features: readonly number[];
  /** Most descriptors of each queue: powers of two. */
  readonly queueSizes: readonly number[];
  /** Bytes of its configuration space. */
  readonly configLength: number;
  /** `offset` is inside. Called under the lock of the transport's state, as are the next four. */
  readConfig(offset: number, size: AccessSize): number;
  writeConfig(offset: number, size: AccessSize, value: number): void;
  /** The driver reset it, or the machine did. */
  reset(): void;
  save(): ChipState;
  restore(state: ChipState): void;
  /** There may be something in queue `index`. Called on the driver's thread, without the lock: rings whoever serves it. */
  notify(index: number): void;
}
