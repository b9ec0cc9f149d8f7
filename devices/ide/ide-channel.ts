/**
 * One IDE channel: the command block of two drives at most, their interrupt, resets, and the bus master's half.
 *
 * Registers are answered on the thread of the vCPU that asks, under the channel's lock. What needs the host's storage or
 * moves data to guest memory by itself is a job for the disk actor of the drive, which `jobs` is for.
 *
 * A reset while the actor works shows BSY until the actor has let go: by then nothing of the old command touches guest
 * memory any more. The same goes for the bus master's active bit and a transfer that is stopped.
 *
 * [ATA-6] T13/1410D, 7 "Interface register definitions", 9.2 "Software reset protocol", 9.10 "EXECUTE DEVICE DIAGNOSTIC"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { IoHandler, IrqLine, RepeatedIoHandler } from "../../shared/io.js";
import { Lock } from "../../shared/lock.js";
import type { MemoryRegion } from "../../shared/memory.js";
import type { TraceEvents, TracePoint } from "../../shared/trace.js";
import { BytePorts } from "../byte-ports.js";
import { restoreChip, saveChip } from "../chip-state.js";
import { Control } from "./ata.js";
import { BUS_MASTER_BYTES, BusMaster } from "./bus-master.js";
import { CommandBlock } from "./command-block.js";
import { ataCommand, DEVICE_RESET, EXECUTE_DEVICE_DIAGNOSTIC } from "./commands.js";
import { DiskCommands } from "./disk-commands.js";
import { DriveAnswers } from "./drive-answers.js";
import type { DrivePlace } from "./drive-answers.js";
import type { DriveLogic } from "./drive-logic.js";
import { DriveRegisters, Field } from "./drive-registers.js";
import { DriveSelection } from "./drive-selection.js";
import type { ChannelDrives, IdeDrive } from "./drive.js";
import { Abandon, ended, JobSlot } from "./job.js";
import type { AbandonCode, Job, JobResult } from "./job.js";
import { PacketCommands } from "./packet-commands.js";
import type { PacketDevice } from "./packet-device.js";
import { Transfer } from "./transfer.js";
import type { TransferHost } from "./transfer.js";

export interface IdeChannelHost {
  readonly irq: IrqLine;
  readonly trace: TracePoint<TraceEvents["ide"]>;
  /** The disk actor of drive `unit` has a job. Called under the lock. */
  kick(unit: number): void;
  /** PCI's bus master enable bit. Called under the lock. */
  mayMaster(): boolean;
}

/** What a drive's disk actor uses, and a vCPU for what it need not wait for. */
export interface JobSource {
  /** The sector buffer. It belongs to who carries out the job that runs. */
  readonly buffer: MemoryRegion;
  /** The job that waits for the drive, which runs from now on. */
  take(): Job | undefined;
  /** The same, if it is a read of at most `most` bytes. */
  takeRead(most: number): Job | undefined;
  /** The job that runs waits again, unless it is to be given up; then it has ended. */
  giveBack(): void;
  /** What the job that runs is to be given up for: look between two calls to the host. */
  abandoned(): AbandonCode;
  /** The job has ended. */
  finish(result: JobResult): void;
}

const BOTH = 0x3;
const VERSION = 1;

interface Unit {
  /** 1 << its number. */
  readonly bit: number;
  readonly drive: IdeDrive | undefined;
  readonly registers: DriveRegisters;
  readonly answers: DriveAnswers;
  readonly logic: DriveLogic | undefined;
}

export class IdeChannel {
  /** 0x1f0 or 0x170 and seven more. */
  readonly commandBlock: RepeatedIoHandler;
  /** 0x3f6 or 0x376. */
  readonly controlBlock: IoHandler;
  /** The channel's 8 ports of bus master registers. */
  readonly busMaster: IoHandler;
  /** For the disk actor of drive 0 and 1. */
  readonly jobs: readonly [JobSource, JobSource];
  readonly #lock: Lock;
  /** One word: bit n is set while drive n waits for the end of a job to be reset. */
  readonly #resetting: Int32Array<SharedArrayBuffer>;
  readonly #units: readonly [Unit, Unit];
  readonly #selection: DriveSelection;
  readonly #job: JobSlot;
  readonly #master: BusMaster;
  readonly #transfer: Transfer;
  readonly #host: IdeChannelHost;

  constructor(arena: SharedArena, index: number, drives: ChannelDrives, host: IdeChannelHost) {
    this.#host = host;
    this.#lock = new Lock(arena.int32(1));
    this.#resetting = arena.int32(1);
    this.#job = new JobSlot(arena);
    this.#master = new BusMaster(arena, {
      started: () => {
        this.#transfer.tryDma();
      },
      stopped: () => {
        this.#transfer.stopDma();
      },
    });
    this.#transfer = new Transfer(arena, { job: this.#job, master: this.#master }, this.#transferHost());
    const [first, second] = drives;
    this.#units = [
      this.#makeUnit(arena, { channel: index, unit: 0 }, first),
      this.#makeUnit(arena, { channel: index, unit: 1 }, second),
    ];
    this.#selection = new DriveSelection(arena, [this.#units[0].registers, this.#units[1].registers], {
      line: (level) => {
        if (level === 1) this.#master.interrupt();
        host.irq.set(level);
      },
    });
    this.jobs = [this.#jobsOf(0), this.#jobsOf(1)];
    this.commandBlock = new CommandBlock(this.#lock, {
      drives: this.#units.map(({ registers }) => registers),
      selection: this.#selection,
      transfer: this.#transfer,
      command: (code) => {
        this.#command(code);
      },
    });
    this.controlBlock = new BytePorts(this.#lock, 1, {
      read: () => this.#selection.status,
      write: (_offset, value) => {
        this.#control(value);
      },
    });
    this.busMaster = new BytePorts(this.#lock, BUS_MASTER_BYTES, this.#master);
  }

  /** Power-on state, with all drives plugged in. No disk actor works. */
  reset(): void {
    this.#lock.hold(() => {
      this.#resetting.fill(0);
      this.#job.reset();
      this.#master.reset();
      this.#transfer.reset();
      for (const { drive, logic, registers } of this.#units) {
        registers.reset(drive !== undefined);
        logic?.reset();
      }
      this.#selection.reset();
    });
  }

  /**
   * Takes drive `unit` out, once the disk actor is through with what it does for it, or `tired` says that nobody can
   * wait any longer. Without the lock. False when it was out already.
   */
  unplug(unit: 0 | 1, tired: () => boolean): boolean {
    for (;;) {
      const given = tired();
      const done = this.#lock.hold(() => this.#tryUnplug(this.#units[unit], given));
      if (done !== "busy") return done === "unplugged";
      this.#job.await(tired);
    }
  }

  /** Does something to a drive that no command may see half done, as changing its disc. */
  exclusively<T>(action: () => T): T {
    return this.#lock.hold(action);
  }

  /** PCI's bus master enable bit has changed. */
  masterChanged(): void {
    this.#lock.hold(() => {
      this.#transfer.tryDma();
    });
  }

  /** Everything but the buffer's unused part. No disk actor works. */
  save(): readonly number[] {
    const { buffer, filled } = this.#transfer;
    const bytes = Array.from(buffer.bytes.subarray(0, filled));
    const packets = this.#packetDevices().flatMap((device) => {
      const { version, words } = device.save();
      return [version, words.length, ...words];
    });
    return [...saveChip(VERSION, ...this.#arrays()).words, ...bytes, ...packets];
  }

  /** @throws VmmError STATE when `words` are not what `save()` gave for the same drives */
  restore(words: readonly number[]): void {
    const arrays = this.#arrays();
    let next = arrays.reduce((total, array) => total + array.length, 0);
    restoreChip({ version: VERSION, words: words.slice(0, next) }, VERSION, ...arrays);
    const { buffer, filled } = this.#transfer;
    buffer.bytes.set(words.slice(next, next + filled));
    next += filled;
    for (const device of this.#packetDevices()) {
      const [version = 0, length = 0] = words.slice(next, next + 2);
      device.restore({ version, words: words.slice(next + 2, next + 2 + length) });
      next += 2 + length;
    }
  }

  #makeUnit(arena: SharedArena, place: DrivePlace, drive: IdeDrive | undefined): Unit {
    const registers = new DriveRegisters(arena, drive?.kind === "packet");
    const answers = new DriveAnswers(place, registers, {
      trace: this.#host.trace,
      interruptChanged: () => {
        this.#selection.updateLine();
      },
    });
    return { bit: 1 << place.unit, drive, registers, logic: makeLogic(drive, answers, this.#transfer), answers };
  }

  /** What a transfer says goes to the drive whose command it is. */
  #transferHost(): TransferHost {
    const active = (): Unit => this.#units[this.#transfer.unit === 0 ? 0 : 1];
    return {
      blockReady: (bytes, interrupt) => active().logic?.blockReady(bytes, interrupt),
      busy: () => {
        active().answers.busy();
      },
      done: (interrupt) => active().logic?.done(interrupt),
      failed: (offset, errno) => active().logic?.failed(offset, errno),
      packetReceived: () => active().logic?.packetReceived(),
      kick: () => {
        this.#host.kick(this.#transfer.unit);
      },
      mayMaster: () => this.#host.mayMaster(),
    };
  }

  #jobsOf(unit: 0 | 1): JobSource {
    return {
      buffer: this.#transfer.buffer,
      take: () => this.#lock.hold(() => this.#job.take(unit)),
      takeRead: (most) => this.#lock.hold(() => this.#job.takeRead(unit, most)),
      giveBack: () => {
        this.#lock.hold(() => {
          if (this.#job.running && !this.#job.giveBack()) this.#jobEnded(ended(0, 0, "stopped"));
        });
      },
      abandoned: () => this.#job.abandoned,
      finish: (result) => {
        this.#lock.hold(() => {
          this.#jobEnded(result);
        });
      },
    };
  }

  #jobEnded(result: JobResult): void {
    if (!this.#job.running) return;
    const { abandoned } = this.#job;
    this.#job.end();
    if (abandoned === Abandon.reset) this.#endReset();
    else this.#transfer.jobEnded(result, abandoned);
  }

  #tryUnplug({ registers, bit }: Unit, tired: boolean): "unplugged" | "busy" | "absent" {
    if (registers.get(Field.present) === 0) return "absent";
    const concerned = this.#transfer.active && 1 << this.#transfer.unit === bit;
    if (concerned && this.#job.busy && !tired) return "busy";
    if (concerned) {
      this.#transfer.cancel();
      this.#job.abandon(Abandon.reset);
    }
    registers.set(Field.present, 0);
    this.#resetting[0] = this.#waiting & ~bit;
    this.#selection.updateLine();
    return "unplugged";
  }

  #command(code: number): void {
    if (code === EXECUTE_DEVICE_DIAGNOSTIC) {
      this.#diagnose();
      return;
    }
    const { registers, logic, drive, answers, bit } = this.#units[this.#selection.unit];
    if (!this.#selection.present) return;
    if (code === DEVICE_RESET && drive?.kind === "packet") {
      if (this.#waiting === 0) this.#beginReset(bit);
      this.#endReset();
      return;
    }
    if (registers.atWork) return;
    registers.set(Field.interrupt, 0);
    registers.set(Field.command, code);
    registers.set(Field.error, 0);
    answers.asked(0, 0);
    this.#selection.updateLine();
    const command = ataCommand(code);
    if (command === undefined) answers.abort();
    else logic?.execute(command);
  }

  /** Both drives test themselves; drive 0 is selected afterwards and interrupts. [ATA-6] 8.9 */
  #diagnose(): void {
    if (this.#units.some(({ registers }) => registers.atWork)) return;
    for (const { registers } of this.#units) registers.sign();
    this.#selection.unit = 0;
    const first = this.#units.find(({ registers }) => registers.get(Field.present) === 1);
    first?.registers.set(Field.interrupt, 1);
    this.#selection.updateLine();
  }

  #control(value: number): void {
    const before = this.#selection.control;
    this.#selection.control = value & (Control.nien | Control.srst | Control.hob);
    if ((value & Control.srst) !== 0 && (before & Control.srst) === 0) this.#beginReset(BOTH);
    this.#endReset();
    this.#selection.updateLine();
  }

  /** The drives of `mask` show BSY and forget what they were at. */
  #beginReset(mask: number): void {
    if ((mask & (1 << this.#transfer.unit)) !== 0) {
      this.#transfer.cancel();
      this.#job.abandon(Abandon.reset);
    }
    this.#resetting[0] = this.#waiting | mask;
    for (const { bit, registers, answers } of this.#units) {
      if ((mask & bit) === 0) continue;
      answers.busy();
      registers.set(Field.interrupt, 0);
    }
    this.#selection.updateLine();
  }

  /** Ends a reset, unless the host still asks for it or an actor has not yet let go. */
  #endReset(): void {
    const mask = this.#waiting;
    if (mask === 0 || this.#job.running || (this.#selection.control & Control.srst) !== 0) return;
    this.#resetting[0] = 0;
    for (const { bit, registers, logic } of this.#units) {
      if ((mask & bit) === 0) continue;
      logic?.softReset();
      registers.sign();
    }
    // SRST leaves drive 0 selected. DEVICE RESET leaves the selection alone. [ATA-6] 9.2, 9.11
    if (mask === BOTH) this.#selection.unit = 0;
    this.#selection.updateLine();
  }

  /** Bit n: drive n waits to be reset. */
  get #waiting(): number {
    return this.#resetting[0] ?? 0;
  }

  #packetDevices(): readonly PacketDevice[] {
    return this.#units.flatMap(({ drive }) => (drive?.kind === "packet" ? [drive.device] : []));
  }

  #arrays(): Parameters<typeof saveChip>[1][] {
    const registers = this.#units.map((unit) => unit.registers.words);
    const { words, numbers } = this.#transfer;
    return [
      this.#resetting,
      this.#selection.words,
      ...registers,
      this.#job.words,
      this.#job.numbers,
      words,
      numbers,
      this.#master.words,
    ];
  }
}

function makeLogic(drive: IdeDrive | undefined, answers: DriveAnswers, transfer: Transfer): DriveLogic | undefined {
  if (drive === undefined) return undefined;
  return drive.kind === "disk"
    ? new DiskCommands(drive, answers, transfer)
    : new PacketCommands(drive.device, answers, transfer);
}
