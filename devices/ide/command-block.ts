/**
 * The command block of a channel: the data port, and the task file that goes to both drives and comes from the selected
 * one.
 *
 * [ATA-6] T13/1410D, 7 "Interface register definitions"
 */
import { allOnes, repeatRead, repeatWrite } from "../../shared/io.js";
import type { AccessSize, RepeatedAccess, RepeatedIoHandler } from "../../shared/io.js";
import type { Lock } from "../../shared/lock.js";
import { Control, DeviceBits, TaskRegister } from "./ata.js";
import { Field } from "./drive-registers.js";
import type { DriveRegisters } from "./drive-registers.js";
import type { DriveSelection } from "./drive-selection.js";
import type { Transfer } from "./transfer.js";

export interface CommandBlockHost {
  readonly drives: readonly DriveRegisters[];
  readonly selection: DriveSelection;
  readonly transfer: Transfer;
  /** The command register was written. Under the lock. */
  command(code: number): void;
}

export const COMMAND_PORTS = 8;
/** The registers from features to LBA high only remember what was written: a write may come late, if in order. */
export const LATCH_PORTS = { first: TaskRegister.errorFeatures, count: TaskRegister.lbaHigh } as const;

export class CommandBlock implements RepeatedIoHandler {
  readonly #lock: Lock;
  readonly #host: CommandBlockHost;

  constructor(lock: Lock, host: CommandBlockHost) {
    this.#lock = lock;
    this.#host = host;
  }

  read(offset: number, size: AccessSize): number {
    this.#lock.acquire();
    try {
      return this.#read(offset, size);
    } finally {
      this.#lock.release();
    }
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.#lock.acquire();
    try {
      this.#write(offset, size, value);
    } finally {
      this.#lock.release();
    }
  }

  readRepeated({ offset, size, data }: RepeatedAccess): void {
    this.#lock.acquire();
    try {
      if (this.#isData(offset)) this.#host.transfer.readRepeated(size, data);
      else repeatRead(data, size, () => this.#read(offset, size));
    } finally {
      this.#lock.release();
    }
  }

  writeRepeated({ offset, size, data }: RepeatedAccess): void {
    this.#lock.acquire();
    try {
      if (this.#isData(offset)) {
        this.#host.transfer.writeRepeated(size, data);
        return;
      }
      repeatWrite(data, size, (value) => {
        this.#write(offset, size, value);
      });
    } finally {
      this.#lock.release();
    }
  }

  /** The data port of a drive that is there. */
  #isData(offset: number): boolean {
    return offset === TaskRegister.data && this.#host.selection.present;
  }

  #read(offset: number, size: AccessSize): number {
    const { selection, transfer } = this.#host;
    if (!selection.present && selection.empty) return allOnes(size);
    if (size === 1 && offset !== TaskRegister.data) return this.#readRegister(offset);
    if (offset === TaskRegister.data) return selection.present ? transfer.read(size) : allOnes(size);
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.#readRegister(offset + byte) << (byte * 8);
    return value >>> 0;
  }

  #write(offset: number, size: AccessSize, value: number): void {
    if (offset === TaskRegister.data) {
      if (this.#host.selection.present) this.#host.transfer.write(size, value);
      return;
    }
    for (let byte = 0; byte < size; byte++) this.#writeRegister(offset + byte, (value >>> (byte * 8)) & 0xff);
  }

  #readRegister(offset: number): number {
    const { selection } = this.#host;
    switch (offset) {
      case TaskRegister.errorFeatures:
      case TaskRegister.count:
      case TaskRegister.lbaLow:
      case TaskRegister.lbaMid:
      case TaskRegister.lbaHigh:
        return selection.answering.read(offset, (selection.control & Control.hob) !== 0);
      case TaskRegister.device:
        return selection.answering.get(Field.device);
      case TaskRegister.statusCommand: {
        const { status } = selection;
        // Reading it is how the host acknowledges an interrupt. [ATA-6] 7.15
        selection.selected.set(Field.interrupt, 0);
        selection.updateLine();
        return status;
      }
      default:
        return 0xff;
    }
  }

  #writeRegister(offset: number, value: number): void {
    const { drives, selection } = this.#host;
    if ((selection.control & Control.hob) !== 0) selection.control &= ~Control.hob;
    if (offset === TaskRegister.statusCommand) {
      this.#host.command(value);
      return;
    }
    // A drive at work does not listen. [ATA-6] 7.2
    if (selection.present && selection.selected.atWork) return;
    switch (offset) {
      case TaskRegister.errorFeatures:
      case TaskRegister.count:
      case TaskRegister.lbaLow:
      case TaskRegister.lbaMid:
      case TaskRegister.lbaHigh:
        for (let unit = 0; unit < drives.length; unit++) drives[unit]?.write(offset, value);
        break;
      case TaskRegister.device:
        for (const drive of drives) drive.set(Field.device, value);
        selection.unit = (value & DeviceBits.unit) === 0 ? 0 : 1;
        selection.updateLine();
        break;
      default:
        break;
    }
  }
}
