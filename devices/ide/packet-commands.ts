/**
 * The ATA side of a packet device: it takes packets and gives data in blocks no larger than the host's limit.
 *
 * Not modelled: overlapped commands. They abort.
 *
 * [ATA-6] T13/1410D, 8.24 "PACKET", 9.8 "PACKET command protocol", 9.12 "Signature and persistence"
 */
import { AtaError, Reason } from "./ata.js";
import type { AtaCommand } from "./commands.js";
import { commonCommand } from "./common-commands.js";
import type { DriveAnswers } from "./drive-answers.js";
import type { DriveLogic } from "./drive-logic.js";
import { Field } from "./drive-registers.js";
import { putDmaModes } from "./identify-disk.js";
import { IDENTIFY_BYTES, putChecksum } from "./identify-words.js";
import { JobOp } from "./job.js";
import type { PacketDevice, PacketReply } from "./packet-device.js";
import { PACKET_BYTES } from "./transfer.js";
import type { Transfer } from "./transfer.js";

/** Features register of PACKET. */
const Feature = { dma: 0x01, overlapped: 0x02 } as const;
/** A block's length is in two registers, and even but for the last. */
const MAX_BLOCK = 0xfffe;
/** Limits above are rounded down to whole blocks of the medium. */
const MEDIUM_BLOCK = 2048;
const READ_SECTORS = 0x20;

export class PacketCommands implements DriveLogic {
  readonly #device: PacketDevice;
  readonly #answers: DriveAnswers;
  readonly #transfer: Transfer;

  constructor(device: PacketDevice, answers: DriveAnswers, transfer: Transfer) {
    this.#device = device;
    this.#answers = answers;
    this.#transfer = transfer;
  }

  reset(): void {
    this.#device.reset();
  }

  softReset(): void {
    const { registers } = this.#answers;
    this.#device.softReset();
    if (registers.get(Field.keepSettings) === 0) registers.revert();
  }

  execute({ action, code }: AtaCommand): void {
    const { registers, place } = this.#answers;
    switch (action.kind) {
      case "nop":
      case "set-features":
      case "standby":
      case "idle":
      case "check-power":
        commonCommand(action, this.#answers);
        break;
      case "packet":
        if ((registers.get(Field.features) & Feature.overlapped) !== 0) this.#answers.abort();
        else this.#transfer.beginPacket(place.unit);
        break;
      case "identify-packet":
        this.#device.identify(this.#transfer.buffer.bytes);
        putDmaModes(this.#transfer.buffer.bytes, registers);
        putChecksum(this.#transfer.buffer.bytes);
        // Not a packet's data: registers stay as they are, and no interrupt ends it.
        registers.set(Field.extended, 0);
        this.#transfer.beginData(place.unit, IDENTIFY_BYTES, IDENTIFY_BYTES);
        break;
      default:
        // These two tell a host that looks for a disk what is here instead. [ATA-6] 9.12
        if (action.kind === "identify" || code === READ_SECTORS) registers.signPacket();
        this.#answers.abort();
    }
  }

  blockReady(bytes: number, interrupt: boolean): void {
    const { registers } = this.#answers;
    if (this.#isPacket()) {
      registers.set(Field.count, interrupt ? Reason.toHost : Reason.packet);
      // While the packet is written the registers still hold the host's limit.
      if (interrupt) {
        registers.set(Field.mid, bytes & 0xff);
        registers.set(Field.high, bytes >>> 8);
      }
    }
    this.#answers.block(interrupt);
  }

  done(interrupt: boolean): void {
    if (this.#isPacket()) this.#answers.registers.set(Field.count, Reason.status);
    this.#answers.done(interrupt || this.#isPacket());
  }

  failed(): void {
    this.#answer(this.#device.readFailed());
  }

  packetReceived(): void {
    const { bytes } = this.#transfer.buffer;
    const packet = bytes.slice(0, PACKET_BYTES);
    this.#answers.asked(packet[0] ?? 0, 0);
    this.#answer(this.#device.execute(packet, bytes));
  }

  #answer(reply: PacketReply): void {
    const { registers, place } = this.#answers;
    const transfer = this.#transfer;
    const dma = (registers.get(Field.features) & Feature.dma) !== 0;
    switch (reply.kind) {
      case "done":
        this.done(true);
        break;
      case "data":
        if (dma) transfer.beginDma(place.unit, JobOp.dmaBuffer, { offset: 0, length: reply.length });
        else transfer.beginData(place.unit, reply.length, this.#blockBytes(reply.length));
        break;
      case "read":
        if (dma) transfer.beginDma(place.unit, JobOp.dmaRead, reply);
        else transfer.beginRead(place.unit, { ...reply, blockBytes: this.#blockBytes(reply.length) });
        break;
      default:
        registers.set(Field.count, Reason.status);
        this.#answers.fail((reply.sense << 4) | AtaError.abrt);
    }
  }

  /** The host's limit; odd ones are only good for all the data at once, and hosts that leave 0 mean no limit. */
  #blockBytes(length: number): number {
    const { registers } = this.#answers;
    const limit = registers.get(Field.high) * 256 + registers.get(Field.mid);
    if (limit === 0 || limit >= length) return MAX_BLOCK;
    return limit >= MEDIUM_BLOCK ? limit - (limit % MEDIUM_BLOCK) : Math.max(2, limit & ~1);
  }

  #isPacket(): boolean {
    return this.#answers.registers.get(Field.command) === PACKET;
  }
}

const PACKET = 0xa0;
