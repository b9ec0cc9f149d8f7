/** A virtio device of no type in particular, for specs of what is common to all. */
import type { AccessSize } from "../../../shared/io.js";
import { saveChip } from "../../../devices/chip-state.js";
import type { ChipState } from "../../../devices/chip-state.js";
import type { VirtioDevice } from "../../../devices/virtio/virtio-device.js";

export class TestDevice implements VirtioDevice {
  readonly name: string;
  readonly type = 63;
  readonly classCode: number;
  readonly features: readonly number[] = [5, 40];
  readonly queueSizes: readonly number[] = [64, 16];
  readonly configLength = 8;
  readonly bytes = new Uint8Array(new SharedArrayBuffer(8));
  readonly notified: number[] = [];
  resets = 0;

  constructor(name = "virtio-test", classCode = 0xff_0000) {
    this.name = name;
    this.classCode = classCode;
  }

  readConfig(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += (this.bytes[offset + i] ?? 0) * 2 ** (i * 8);
    return value;
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) this.bytes[offset + i] = value >>> (i * 8);
  }

  reset(): void {
    this.bytes.fill(0);
    this.resets++;
  }

  save(): ChipState {
    return saveChip(1, this.bytes);
  }

  restore({ words }: ChipState): void {
    this.bytes.set(words);
  }

  notify(index: number): void {
    this.notified.push(index);
  }
}
