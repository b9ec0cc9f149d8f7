/**
 * Timers of the domain, in system time (ns): per vCPU one singleshot and one periodic timer that raise VIRQ_TIMER, and the
 * domain's two watchdogs.
 *
 * [VCPU] xen.git xen/include/public/vcpu.h; [SCHED] sched.h (SCHEDOP_watchdog)
 *
 * The host is asked for one wake-up per vCPU, the earliest; it answers by `expire()`. Arming happens under the vCPU's timer
 * lock, so that the host's last word is ours. Where KVM runs singleshot timers, it takes those hypercalls before us; but
 * one that waits over a pause is ours, and so are those that are set in its place, until none waits.
 */
import type { SharedArena } from "../shared/arena.js";
import type { VcpuId } from "../shared/brand.js";
import { Lock } from "../shared/lock.js";
import { Errno } from "./abi/errno.js";
import { Shutdown } from "./abi/sched.js";
import { Virq } from "./abi/xen.js";
import type { DomainState } from "./domain.js";
import type { EventChannels } from "./event-channels.js";
import { VcpuRequest } from "./host.js";
import type { XenHost } from "./host.js";
import { shutDown } from "./shutdown.js";

const NEVER = Infinity;

/** Deadlines and periods of one vCPU. */
const SINGLESHOT = 0;
const PERIOD = 1;
const PERIODIC = 2;
const STRIDE = 4;

/** Shortest and longest period, [VCPU] VCPUOP_set_periodic_timer: 1 ms, 2^62 ns. */
const MIN_PERIOD_NS = 1e6;
const MAX_PERIOD_NS = 2 ** 62;

/** Timeouts further away than this (13 days), or wrapped negative, come from Linux's jiffies: an early tick cures it. */
const SANE_DELTA_NS = 2 ** 50;
const WORKAROUND_NS = 100e6;

const WATCHDOGS = 2;
const NS_PER_SECOND = 1e9;

export interface TimerSnapshot {
  /** Times left, in ns; null for timers that are off. */
  readonly vcpus: readonly {
    readonly singleshot: number | null;
    readonly period: number;
    readonly periodic: number | null;
  }[];
  readonly watchdogs: readonly (number | null)[];
}

export class XenTimers {
  readonly #domain: DomainState;
  readonly #events: EventChannels;
  readonly #host: XenHost;
  readonly #vcpus: number;
  readonly #locks: readonly Lock[];
  readonly #times: Float64Array<SharedArrayBuffer>;
  /** Deadlines of the watchdogs; vCPU 0's timer lock and wake-up serve them. */
  readonly #watchdogs: Float64Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, domain: DomainState, events: EventChannels, host: XenHost) {
    const { vcpus } = domain;
    this.#domain = domain;
    this.#events = events;
    this.#host = host;
    this.#vcpus = vcpus;
    this.#locks = Array.from({ length: vcpus }, () => new Lock(arena.int32(1)));
    this.#times = arena.float64(vcpus * STRIDE);
    this.#watchdogs = arena.float64(WATCHDOGS);
  }

  /** All timers are off. */
  reset(): void {
    this.#watchdogs.fill(NEVER);
    for (let vcpu = 0; vcpu < this.#vcpus; vcpu++) {
      this.#set(vcpu, SINGLESHOT, NEVER);
      this.#set(vcpu, PERIOD, 0);
      this.#set(vcpu, PERIODIC, NEVER);
      this.#host.armTimer(vcpu as VcpuId, NEVER);
    }
  }

  /** set_timer_op: 0 stops. `deadlineNs` of 2^63 and more is a negative time. */
  setTimer(vcpu: VcpuId, deadlineNs: number): void {
    if (deadlineNs === 0) {
      this.stopSingleshot(vcpu);
      return;
    }
    const now = this.#host.systemTimeNs();
    const odd = deadlineNs >= 2 ** 63 || deadlineNs - now >= SANE_DELTA_NS;
    this.#setSingleshot(vcpu, odd ? now + WORKAROUND_NS : deadlineNs, now);
  }

  /** VCPUOP_set_singleshot_timer. */
  setSingleshot(vcpu: VcpuId, deadlineNs: number): void {
    const now = this.#host.systemTimeNs();
    this.#setSingleshot(vcpu, deadlineNs >= 2 ** 63 ? now : deadlineNs, now);
  }

  /** Whether a singleshot timer of ours waits: KVM's own must not be set beside it. */
  singleshotWaits(vcpu: VcpuId): boolean {
    return this.#get(vcpu, SINGLESHOT) !== NEVER;
  }

  /** When the first of a vCPU's timers that are ours fires, in ns of the guest's clock; Infinity for none. */
  deadline(vcpu: VcpuId): number {
    return Math.min(this.#get(vcpu, SINGLESHOT), this.#get(vcpu, PERIODIC));
  }

  stopSingleshot(vcpu: VcpuId): void {
    const lock = this.#lockOf(vcpu);
    lock.acquire();
    this.#set(vcpu, SINGLESHOT, NEVER);
    this.#arm(vcpu);
    lock.release();
    this.#singleshotEnded(vcpu);
  }

  /** VCPUOP_set_periodic_timer. */
  setPeriodic(vcpu: VcpuId, periodNs: number): number {
    if (periodNs < MIN_PERIOD_NS || periodNs > MAX_PERIOD_NS) return Errno.EINVAL;
    const lock = this.#lockOf(vcpu);
    lock.acquire();
    this.#set(vcpu, PERIOD, periodNs);
    this.#set(vcpu, PERIODIC, this.#host.systemTimeNs() + periodNs);
    this.#arm(vcpu);
    lock.release();
    return 0;
  }

  stopPeriodic(vcpu: VcpuId): void {
    const lock = this.#lockOf(vcpu);
    lock.acquire();
    this.#set(vcpu, PERIOD, 0);
    this.#set(vcpu, PERIODIC, NEVER);
    this.#arm(vcpu);
    lock.release();
  }

  /** SCHEDOP_watchdog: id 0 starts one and answers its id; another id is set anew, or stopped by a timeout of 0. */
  setWatchdog(id: number, timeoutSeconds: number): number {
    if (id > WATCHDOGS) return Errno.EINVAL;
    const lock = this.#lockOf(0);
    lock.acquire();
    try {
      const deadline = timeoutSeconds === 0 ? NEVER : this.#host.systemTimeNs() + timeoutSeconds * NS_PER_SECOND;
      let slot = id - 1;
      if (id === 0) {
        if (timeoutSeconds === 0) return Errno.EINVAL;
        slot = this.#watchdogs.indexOf(NEVER);
        if (slot < 0) return Errno.ENOSPC;
      } else if (this.#watchdogs[slot] === NEVER) return Errno.EINVAL;
      this.#watchdogs[slot] = deadline;
      this.#arm(0);
      return id === 0 ? slot + 1 : 0;
    } finally {
      lock.release();
    }
  }

  /** The host's wake-up for `vcpu`: fires what is due and arms what comes next. */
  expire(vcpu: VcpuId, nowNs: number): void {
    const lock = this.#lockOf(vcpu);
    lock.acquire();
    let bitten = false;
    const ended = this.#get(vcpu, SINGLESHOT) <= nowNs;
    let due = ended;
    if (ended) this.#set(vcpu, SINGLESHOT, NEVER);
    const periodic = this.#get(vcpu, PERIODIC);
    if (periodic <= nowNs) {
      // Ticks that were missed are not made up for, but the beat is kept.
      const period = this.#get(vcpu, PERIOD);
      this.#set(vcpu, PERIODIC, periodic + (Math.floor((nowNs - periodic) / period) + 1) * period);
      due = true;
    }
    if (vcpu === 0) {
      for (let id = 0; id < WATCHDOGS; id++) {
        if ((this.#watchdogs[id] ?? NEVER) > nowNs) continue;
        this.#watchdogs[id] = NEVER;
        bitten = true;
      }
    }
    this.#arm(vcpu);
    lock.release();
    if (ended) this.#singleshotEnded(vcpu);
    if (due) this.#events.raiseVirq(vcpu, Virq.timer);
    if (bitten) shutDown({ domain: this.#domain, host: this.#host }, vcpu, Shutdown.watchdog);
  }

  save(): TimerSnapshot {
    const now = this.#host.systemTimeNs();
    const left = (deadline: number): number | null => (deadline === NEVER ? null : deadline - now);
    return {
      vcpus: Array.from({ length: this.#vcpus }, (_, vcpu) => ({
        singleshot: left(this.#get(vcpu, SINGLESHOT)),
        period: this.#get(vcpu, PERIOD),
        periodic: left(this.#get(vcpu, PERIODIC)),
      })),
      watchdogs: Array.from(this.#watchdogs, left),
    };
  }

  restore(state: TimerSnapshot): void {
    const now = this.#host.systemTimeNs();
    for (const [id, left] of state.watchdogs.entries()) this.#watchdogs[id] = left === null ? NEVER : now + left;
    for (const [vcpu, row] of state.vcpus.entries()) {
      this.#set(vcpu, SINGLESHOT, row.singleshot === null ? NEVER : now + row.singleshot);
      this.#set(vcpu, PERIOD, row.period);
      this.#set(vcpu, PERIODIC, row.periodic === null ? NEVER : now + row.periodic);
      this.#arm(vcpu);
    }
  }

  #setSingleshot(vcpu: VcpuId, deadlineNs: number, now: number): void {
    const past = deadlineNs <= now;
    const lock = this.#lockOf(vcpu);
    lock.acquire();
    this.#set(vcpu, SINGLESHOT, past ? NEVER : deadlineNs);
    this.#arm(vcpu);
    lock.release();
    if (!past) return;
    this.#singleshotEnded(vcpu);
    this.#events.raiseVirq(vcpu, Virq.timer);
  }

  /** KVM, where it runs these timers, has the next one: it was ours since a pause. */
  #singleshotEnded(vcpu: VcpuId): void {
    if (this.#events.kernelTimerPort(vcpu) !== 0) this.#host.request(vcpu, VcpuRequest.syncXen);
  }

  #arm(vcpu: number): void {
    let deadline = Math.min(this.#get(vcpu, SINGLESHOT), this.#get(vcpu, PERIODIC));
    if (vcpu === 0) deadline = Math.min(deadline, this.#watchdogs[0] ?? NEVER, this.#watchdogs[1] ?? NEVER);
    this.#host.armTimer(vcpu as VcpuId, deadline);
  }

  #lockOf(vcpu: number): Lock {
    const lock = this.#locks[vcpu];
    if (lock === undefined) throw new RangeError(`Cannot use timers of vCPU ${vcpu}: there are ${this.#vcpus}`);
    return lock;
  }

  #get(vcpu: number, field: number): number {
    return this.#times[vcpu * STRIDE + field] ?? NEVER;
  }

  #set(vcpu: number, field: number, value: number): void {
    this.#times[vcpu * STRIDE + field] = value;
  }
}
