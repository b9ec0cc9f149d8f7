/**
 * MC146818A real-time clock and its CMOS memory, as PCs have it at ports 0x70 and 0x71.
 *
 * The time registers are computed from the host's clock plus an offset; only while the guest holds the clock (SET, or the
 * divider in reset) do they live in memory. Status flags are brought up to date when somebody looks.
 *
 * [MC146818A] Motorola MC146818A, ADI1026
 * [CMOS] Ralf Brown's CMOS memory map; the memory-size bytes as SeaBIOS and QEMU's pc use them
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import type { Device, IrqLine, PortRange } from "../shared/io.js";
import { Lock } from "../shared/lock.js";
import { BytePorts } from "./byte-ports.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";
import { fillMemorySizes } from "./cmos-memory.js";
import type { CmosBoard } from "./cmos-memory.js";
import { RtcMode, TimeRegister, alarmDelay, decodeTime, encodeTime } from "./rtc-calendar.js";

export interface CmosRtcHost {
  /** Time of the machine, in ns. */
  nowNs(): number;
  /** Civil time in UTC: ms since 1970, with fraction. */
  wallClock(): number;
  /** Wants `expire()` at `deadlineNs`, Infinity for never; replaces what was wanted before. Called under the lock. */
  arm(deadlineNs: number): void;
  readonly irq8: IrqLine;
}

const CMOS_BYTES = 128;
const Register = { a: 0x0a, b: 0x0b, c: 0x0c, d: 0x0d } as const;

/** [MC146818A] "Register A" */
const A = { updating: 0x80, divider: 0x70, running: 0x20, rate: 0x0f } as const;
/** [MC146818A] "Register B"; data mode and hour format are in {@link RtcMode}. */
const B = { set: 0x80, periodic: 0x40, alarm: 0x20, update: 0x10, squareWave: 0x08, hours24: RtcMode.hours24 } as const;
/** [MC146818A] "Register C": the flags have the bits of their enables. */
const C = { request: 0x80, flags: 0x70 } as const;
/** [MC146818A] "Register D" */
const VALID_RAM = 0x80;

/** UIP rises this long before the time changes: t_BUC 244 us and the update cycle of 1984 us. [MC146818A] table 3 */
const UPDATE_MS = 2.228;
/** The first update comes half a second after the divider leaves reset. [MC146818A] "Divider control" */
const DIVIDER_START_MS = 500;
/** Crystal, in Hz. */
const BASE_HZ = 32_768;
const NS = 1e9;

/** `offset`: guest's clock minus the host's, ms; `second`: last second of the guest's clock that was accounted for; `tick`: same for periodic ticks; `powered`: the battery is in. */
const W = words(["index", "offset", "second", "tick", "powered"]);
const VERSION = 2;

export class CmosRtc implements Device {
  readonly name = "cmos-rtc";
  readonly ports: readonly PortRange[];
  readonly #host: CmosRtcHost;
  readonly #board: CmosBoard;
  readonly #lock: Lock;
  readonly #words: Float64Array<SharedArrayBuffer>;
  readonly #cmos: Uint8Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, host: CmosRtcHost, board: CmosBoard) {
    this.#host = host;
    this.#board = board;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.float64(Object.keys(W).length);
    this.#cmos = arena.uint8(CMOS_BYTES);
    this.ports = [
      {
        base: port(0x70),
        length: 2,
        handler: new BytePorts(this.#lock, 2, {
          // The index port is write-only.
          read: (offset) => (offset === 0 ? 0xff : this.#read(this.#word(W.index))),
          write: (offset, value) => {
            // Not modelled: bit 7, which would mask NMI.
            if (offset === 0) this.#words[W.index] = value & 0x7f;
            else this.#write(this.#word(W.index), value);
          },
        }),
      },
    ];
  }

  /**
   * The first time, the battery is put in. After that the RESET pin only: time, alarm and memory stay, interrupts are off.
   * [MC146818A] "RESET"
   */
  reset(): void {
    this.#lock.acquire();
    try {
      const powerOn = this.#word(W.powered) === 0;
      if (powerOn) this.#powerUp();
      this.#words[W.index] = 0;
      this.#cmos[Register.b] = this.#byte(Register.b) & ~(B.periodic | B.alarm | B.update | B.squareWave);
      this.#cmos[Register.c] = 0;
      // As firmware does at each start: a guest may have overwritten what the next one relies on.
      fillMemorySizes(this.#cmos, this.#board, powerOn);
      this.#words[W.second] = this.#guestSecond();
      this.#words[W.tick] = this.#periodicTick(this.#host.nowNs());
      this.#update();
    } finally {
      this.#lock.release();
    }
  }

  save(): ChipState {
    return saveChip(VERSION, this.#words, this.#cmos);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#words, this.#cmos);
    this.#update();
  }

  /** Raises what became due. Harmless when called early. */
  expire(nowNs: number): void {
    this.#lock.acquire();
    try {
      this.#catchUp(nowNs);
      this.#update();
    } finally {
      this.#lock.release();
    }
  }

  #powerUp(): void {
    this.#words.fill(0);
    this.#words[W.powered] = 1;
    this.#cmos.fill(0);
    this.#cmos[Register.a] = A.running | 0x06;
    this.#cmos[Register.b] = B.hours24;
  }

  #read(index: number): number {
    switch (index) {
      case Register.a:
        return this.#byte(Register.a) | (this.#updating() ? A.updating : 0);
      case Register.c: {
        this.#catchUp(this.#host.nowNs());
        const flags = this.#byte(Register.c);
        this.#cmos[Register.c] = 0;
        this.#update();
        return flags | this.#request(flags);
      }
      case Register.d:
        return VALID_RAM;
      default:
        if (isTime(index) && !this.#held()) this.#latchTime();
        return this.#byte(index);
    }
  }

  #write(index: number, value: number): void {
    switch (index) {
      case Register.a:
      case Register.b:
        this.#writeControl(index, value);
        break;
      case Register.c:
      case Register.d:
        break;
      default:
        if (isTime(index)) this.#writeTime(index, value);
        else this.#cmos[index] = value;
        if (index <= TimeRegister.hoursAlarm) this.#update();
    }
  }

  #writeControl(index: number, value: number): void {
    const now = this.#host.nowNs();
    this.#catchUp(now);
    const heldBefore = this.#held();
    const dividerBefore = this.#dividerRuns();
    if (!heldBefore) this.#latchTime();
    // UIP is read-only; SET takes the update interrupt's enable away. [MC146818A] "Register B"
    this.#cmos[index] = index === Register.a ? value & ~A.updating : (value & B.set) !== 0 ? value & ~B.update : value;
    if (heldBefore && !this.#held()) this.#startClock(dividerBefore ? 0 : DIVIDER_START_MS);
    this.#words[W.tick] = this.#periodicTick(now);
    this.#update();
  }

  /** Writing the time of a running clock, which the data sheet forbids, sets it at once. */
  #writeTime(index: number, value: number): void {
    const fraction = ((this.#guestMs() % 1000) + 1000) % 1000;
    if (!this.#held()) this.#latchTime();
    this.#cmos[index] = value;
    if (!this.#held()) this.#startClock(fraction);
  }

  #startClock(fractionMs: number): void {
    const second = decodeTime(this.#cmos);
    this.#words[W.offset] = second * 1000 + fractionMs - this.#host.wallClock();
    this.#words[W.second] = second;
  }

  #latchTime(): void {
    encodeTime(this.#guestSecond(), this.#cmos);
  }

  /** Accounts for seconds and periodic ticks that passed since the last look. */
  #catchUp(nowNs: number): void {
    let flags = this.#byte(Register.c);
    const tick = this.#periodicTick(nowNs);
    if (tick !== this.#word(W.tick)) flags |= B.periodic;
    this.#words[W.tick] = tick;
    if (!this.#held()) {
      const second = this.#guestSecond();
      const last = this.#word(W.second);
      if (second !== last) {
        // Where the host's clock was set back, it is this second that has just begun.
        const before = second > last ? last : second - 1;
        flags |= B.update;
        if (alarmDelay(before, this.#cmos) <= second - before) flags |= B.alarm;
      }
      this.#words[W.second] = second;
    }
    this.#cmos[Register.c] = flags;
  }

  /** Drives the line from the flags and asks for the next event that could raise it. */
  #update(): void {
    const flags = this.#byte(Register.c);
    this.#host.irq8.set(this.#request(flags) === 0 ? 0 : 1);
    // An event whose flag is up already changes nothing before the guest reads register C: no wake-up for it.
    const wanted = this.#byte(Register.b) & ~flags;
    const now = this.#host.nowNs();
    let deadline = Infinity;
    if ((wanted & B.periodic) !== 0 && this.#periodNs() > 0) {
      deadline = (this.#periodicTick(now) + 1) * this.#periodNs();
    }
    if (!this.#held() && (wanted & (B.update | B.alarm)) !== 0) {
      const seconds = (wanted & B.update) !== 0 ? 1 : alarmDelay(this.#guestSecond(), this.#cmos);
      const untilMs = (this.#guestSecond() + seconds) * 1000 - this.#guestMs();
      deadline = Math.min(deadline, now + Math.ceil(untilMs * 1e6));
    }
    this.#host.arm(deadline);
  }

  #request(flags: number): number {
    return (flags & this.#byte(Register.b) & C.flags) !== 0 ? C.request : 0;
  }

  #held(): boolean {
    return (this.#byte(Register.b) & B.set) !== 0 || !this.#dividerRuns();
  }

  #dividerRuns(): boolean {
    return (this.#byte(Register.a) & A.divider) === A.running;
  }

  #updating(): boolean {
    return !this.#held() && ((this.#guestMs() % 1000) + 1000) % 1000 >= 1000 - UPDATE_MS;
  }

  #guestMs(): number {
    return this.#host.wallClock() + this.#word(W.offset);
  }

  #guestSecond(): number {
    return Math.floor(this.#guestMs() / 1000);
  }

  /** Period of the periodic interrupt in ns, 0 when off. [MC146818A] table 5: rates 1 and 2 are those of 8 and 9. */
  #periodNs(): number {
    const rate = this.#byte(Register.a) & A.rate;
    if (rate === 0 || !this.#dividerRuns()) return 0;
    return (2 ** ((rate <= 2 ? rate + 7 : rate) - 1) * NS) / BASE_HZ;
  }

  #periodicTick(nowNs: number): number {
    const period = this.#periodNs();
    return period === 0 ? 0 : Math.floor(nowNs / period);
  }

  #byte(index: number): number {
    return this.#cmos[index] ?? 0;
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }
}

/** Time and date registers, not alarms. */
function isTime(index: number): boolean {
  return index === TimeRegister.century || (index <= TimeRegister.year && index !== 1 && index !== 3 && index !== 5);
}
