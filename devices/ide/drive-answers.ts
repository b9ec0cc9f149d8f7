/** How a drive ends a command, and what it shows meanwhile: status, error and interrupt. [ATA-6] 7.15, 9 */
import type { TracePoint, TraceEvents } from "../../shared/trace.js";
import { AtaError, READY, Status } from "./ata.js";
import { ataCommand } from "./commands.js";
import { Field } from "./drive-registers.js";
import type { DriveRegisters } from "./drive-registers.js";

export interface DriveAnswersHost {
  /** The drive's interrupt word is set: the line may have to rise. */
  interruptChanged(): void;
  readonly trace: TracePoint<TraceEvents["ide"]>;
}

/** Which drive this is. */
export interface DrivePlace {
  readonly channel: number;
  /** 0 or 1. */
  readonly unit: number;
}

const HIGH = 0x100_0000;

export class DriveAnswers {
  readonly place: DrivePlace;
  readonly registers: DriveRegisters;
  readonly #host: DriveAnswersHost;

  constructor(place: DrivePlace, registers: DriveRegisters, host: DriveAnswersHost) {
    this.place = place;
    this.registers = registers;
    this.#host = host;
  }

  /** Takes down what a command asks for, for whoever traces. */
  asked(sector: number, count: number): void {
    this.registers.set(Field.askedLow, sector % HIGH);
    this.registers.set(Field.askedHigh, Math.floor(sector / HIGH));
    this.registers.set(Field.askedCount, count);
  }

  busy(): void {
    this.registers.set(Field.status, Status.bsy);
  }

  /** Data is wanted or to be had at the data port. */
  block(interrupt: boolean): void {
    this.registers.set(Field.status, READY | Status.drq);
    if (interrupt) this.#interrupt();
  }

  done(interrupt = true): void {
    this.registers.set(Field.status, READY);
    this.#trace(0);
    if (interrupt) this.#interrupt();
  }

  abort(): void {
    this.fail(AtaError.abrt);
  }

  /** Ends the command with `error` in the error register. */
  fail(error: number): void {
    this.registers.set(Field.error, error);
    this.registers.set(Field.status, READY | Status.err);
    this.#trace(error);
    this.#interrupt();
  }

  #interrupt(): void {
    this.registers.set(Field.interrupt, 1);
    this.#host.interruptChanged();
  }

  #trace(error: number): void {
    if (!this.#host.trace.hasSubscribers) return;
    const { channel, unit } = this.place;
    const code = this.registers.get(Field.command);
    this.#host.trace.publish({
      channel,
      unit,
      command: ataCommand(code)?.name ?? `command 0x${code.toString(16)}`,
      sector: this.registers.get(Field.askedHigh) * HIGH + this.registers.get(Field.askedLow),
      count: this.registers.get(Field.askedCount),
      error,
    });
  }
}
