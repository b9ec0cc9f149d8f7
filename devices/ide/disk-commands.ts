/**
 * The commands of an ATA disk.
 *
 * Not modelled: security, host protected area, removable media, power-up in standby. Their commands abort, and IDENTIFY
 * DEVICE does not announce them.
 *
 * [ATA-6] T13/1410D, 8 "Command descriptions"; [ACS-2] T13/2015-D, 7.9 "DATA SET MANAGEMENT"
 */
import { unreachable } from "../../shared/errors.js";
import { AtaError, DeviceBits, LBA28_LIMIT, MAX_MULTIPLE, MAX_TRIM_BLOCKS, SECTOR } from "./ata.js";
import type { AtaCommand, DiskAction } from "./commands.js";
import { commonCommand } from "./common-commands.js";
import type { DriveAnswers } from "./drive-answers.js";
import type { AtaDisk } from "./drive.js";
import type { DriveLogic } from "./drive-logic.js";
import { Field } from "./drive-registers.js";
import { defaultGeometry, translate } from "./geometry.js";
import type { Geometry } from "./geometry.js";
import { identifyDisk } from "./identify-disk.js";
import { JobOp } from "./job.js";
import { SMART_KEY, Smart, smartData, smartThresholds } from "./smart.js";
import type { Transfer } from "./transfer.js";

/** Features register of DATA SET MANAGEMENT. */
const TRIM = 0x01;
/** What an executor gives for a request that makes no sense. */
export const EINVAL = 22;

export class DiskCommands implements DriveLogic {
  readonly #disk: AtaDisk;
  readonly #answers: DriveAnswers;
  readonly #transfer: Transfer;

  constructor(disk: AtaDisk, answers: DriveAnswers, transfer: Transfer) {
    this.#disk = disk;
    this.#answers = answers;
    this.#transfer = transfer;
  }

  reset(): void {
    this.#setGeometry(defaultGeometry(this.#disk.sectors));
  }

  softReset(): void {
    const { registers } = this.#answers;
    if (registers.get(Field.keepSettings) === 1) return;
    registers.revert();
    this.reset();
  }

  execute({ action }: AtaCommand): void {
    switch (action.kind) {
      case "nop":
      case "set-features":
      case "standby":
      case "idle":
      case "check-power":
        commonCommand(action, this.#answers);
        break;
      case "packet":
      case "identify-packet":
      case "device-reset":
        this.#answers.abort();
        break;
      default:
        this.#execute(action);
    }
  }

  blockReady(_bytes: number, interrupt: boolean): void {
    this.#answers.block(interrupt);
  }

  done(interrupt: boolean): void {
    this.#answers.done(interrupt);
  }

  failed(offset: number, errno: number): void {
    if (errno === EINVAL) {
      this.#answers.abort();
      return;
    }
    const { registers } = this.#answers;
    registers.setAddress(offset / SECTOR, registers.get(Field.extended) === 1);
    this.#answers.fail(AtaError.unc);
  }

  packetReceived(): void {
    this.#answers.abort();
  }

  #execute(action: DiskAction): void {
    const transfer = this.#transfer;
    const { unit } = this.#answers.place;
    switch (action.kind) {
      case "pio-in":
        this.#overRange(action, (range) => {
          transfer.beginRead(unit, range);
        });
        break;
      case "pio-out":
        this.#overRange(action, (range) => {
          transfer.beginWrite(unit, range, this.#through(action));
        });
        break;
      case "dma-in":
        this.#overRange(action, (range) => {
          transfer.beginDma(unit, JobOp.dmaRead, range);
        });
        break;
      case "dma-out":
        this.#overRange(action, (range) => {
          transfer.beginDma(unit, JobOp.dmaWrite, range, this.#through(action));
        });
        break;
      case "verify":
        this.#overRange(action, (range) => {
          transfer.beginJob(unit, JobOp.verify, range);
        });
        break;
      case "flush":
        transfer.beginJob(unit, JobOp.flush, { offset: 0, length: 0 });
        break;
      case "trim":
        this.#trim();
        break;
      default:
        this.#atOnce(action);
    }
  }

  /** Commands that need neither storage nor guest memory. */
  #atOnce(
    action: Exclude<DiskAction, { kind: "pio-in" | "pio-out" | "dma-in" | "dma-out" | "verify" | "flush" | "trim" }>,
  ): void {
    const { registers, place } = this.#answers;
    switch (action.kind) {
      case "identify":
        identifyDisk(this.#transfer.buffer.bytes, this.#disk, registers, place.unit);
        this.#giveSector();
        break;
      case "initialize-parameters":
        this.#initializeParameters();
        break;
      case "set-multiple":
        this.#setMultiple(registers.get(Field.count));
        break;
      case "seek":
        this.#seek();
        break;
      case "recalibrate":
        this.#answers.done();
        break;
      case "read-native-max": {
        const sectors = action.extended ? this.#disk.sectors : Math.min(this.#disk.sectors, LBA28_LIMIT);
        registers.setAddress(sectors - 1, action.extended);
        this.#answers.done();
        break;
      }
      case "smart":
        this.#smart(registers.get(Field.features));
        break;
      default:
        unreachable(action);
    }
  }

  /** What a read or write command names, when the disk has all of it; nothing happens to any part of it otherwise. */
  #overRange(
    action: { readonly kind: DiskAction["kind"]; readonly extended: boolean; readonly multiple?: boolean },
    use: (range: { offset: number; length: number; blockBytes: number }) => void,
  ): void {
    const { registers } = this.#answers;
    const sector = registers.address(action.extended);
    const count = registers.countOf(action.extended);
    const block = action.multiple === true ? registers.get(Field.multiple) : 1;
    const writes = action.kind === "pio-out" || action.kind === "dma-out";
    registers.set(Field.extended, action.extended ? 1 : 0);
    registers.set(Field.standby, 0);
    this.#answers.asked(Math.max(0, sector), count);
    if (block === 0 || (writes && this.#disk.readOnly)) this.#answers.abort();
    else if (sector < 0 || sector + count > this.#disk.sectors) this.#notFound(sector, action.extended);
    else use({ offset: sector * SECTOR, length: count * SECTOR, blockBytes: block * SECTOR });
  }

  #notFound(sector: number, extended: boolean): void {
    if (sector >= 0) this.#answers.registers.setAddress(Math.max(sector, this.#disk.sectors), extended);
    this.#answers.fail(AtaError.idnf);
  }

  /** Past the write cache. */
  #through(action: { readonly through: boolean }): boolean {
    return action.through || this.#answers.registers.get(Field.writeCache) === 0;
  }

  #trim(): void {
    const { registers, place } = this.#answers;
    const blocks = registers.get(Field.countPrevious) * 256 + registers.get(Field.count);
    const known = registers.get(Field.features) === TRIM && this.#disk.discards && !this.#disk.readOnly;
    this.#answers.asked(0, blocks);
    if (!known || blocks === 0 || blocks > MAX_TRIM_BLOCKS) this.#answers.abort();
    else this.#transfer.beginDma(place.unit, JobOp.trim, { offset: 0, length: blocks * SECTOR });
  }

  #giveSector(): void {
    this.#transfer.beginData(this.#answers.place.unit, SECTOR, SECTOR);
  }

  #initializeParameters(): void {
    const { registers } = this.#answers;
    const sectors = registers.get(Field.count);
    if (sectors === 0) {
      this.#answers.abort();
      return;
    }
    this.#setGeometry(translate(this.#disk.sectors, (registers.get(Field.device) & DeviceBits.head) + 1, sectors));
    this.#answers.done();
  }

  #setGeometry({ cylinders, heads, sectors }: Geometry): void {
    const { registers } = this.#answers;
    registers.set(Field.cylinders, cylinders);
    registers.set(Field.heads, heads);
    registers.set(Field.sectors, sectors);
  }

  /** A power of two; 0 switches the mode off, and so does what cannot be. [ATA-6] 8.49 */
  #setMultiple(count: number): void {
    const possible = count <= MAX_MULTIPLE && (count & (count - 1)) === 0;
    this.#answers.registers.set(Field.multiple, possible ? count : 0);
    if (possible) this.#answers.done();
    else this.#answers.abort();
  }

  #seek(): void {
    const sector = this.#answers.registers.address(false);
    if (sector < 0 || sector >= this.#disk.sectors) this.#notFound(sector, false);
    else this.#answers.done();
  }

  #smart(subcommand: number): void {
    const { registers } = this.#answers;
    const keyed = registers.get(Field.mid) === SMART_KEY.mid && registers.get(Field.high) === SMART_KEY.high;
    const enabled = registers.get(Field.smart) === 1 || subcommand === Smart.enable;
    if (!keyed || !enabled) {
      this.#answers.abort();
      return;
    }
    switch (subcommand) {
      case Smart.readData:
        smartData(this.#transfer.buffer.bytes);
        this.#giveSector();
        break;
      case Smart.readThresholds:
        smartThresholds(this.#transfer.buffer.bytes);
        this.#giveSector();
        break;
      case Smart.enable:
      case Smart.disable:
        registers.set(Field.smart, subcommand === Smart.enable ? 1 : 0);
        this.#answers.done();
        break;
      case Smart.autosave: // attributes do not change
      case Smart.saveAttributes:
      case Smart.returnStatus: // the key stays where it is: no threshold was passed
        this.#answers.done();
        break;
      default:
        this.#answers.abort();
    }
  }
}
