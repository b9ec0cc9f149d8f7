/**
 * Physical interrupts that the guest takes as event channels: emulated GSIs, mapped by number, and messages of PCI
 * functions, which name a PIRQ in place of a vector.
 *
 * [PHYSDEV] xen.git xen/include/public/physdev.h
 * [MSI_PIRQ] linux.git arch/x86/pci/xen.c
 *
 * A GSI that is mapped and bound no longer reaches the IOAPIC; the 8259 hears of it in any case. A level-triggered line
 * raises its channel when it goes up, and again at PHYSDEVOP_eoi while it stays up.
 *
 * A message needs no mapping and no EOI: the guest asks for a free number, programs it, and binds it. Guests leave the
 * function's own mask to us: a vector is unmasked when its PIRQ is bound, and masked when that is let go of, so that what
 * came in between is not lost. Guests never give numbers back; one that no function holds any more is given out again
 * when there are no others.
 *
 * Lock order: this lock, then those of MSI and MSI-X, which ask back without locks; none of them while one of the port
 * lock is held.
 */
import type { SharedArena } from "../shared/arena.js";
import { Lock } from "../shared/lock.js";
import { Errno } from "./abi/errno.js";
import type { EventChannels } from "./event-channels.js";
import type { XenHost } from "./host.js";

/** GSIs of the machine's one IOAPIC. */
export const GSI_COUNT = 24;
/** GSIs below are ISA's: edge-triggered unless the guest says otherwise. */
const ISA_GSIS = 16;

/** What a physical interrupt stands for, when not a GSI. */
const UNUSED = -1;
/** Given out by PHYSDEVOP_get_free_pirq, for a message-signalled interrupt. */
const ALLOCATED = -2;

export type PirqHost = Pick<XenHost, "gsiLevel" | "messagePirqChanged" | "messagePirqHeld">;

export interface PirqParts {
  readonly arena: SharedArena;
  readonly events: EventChannels;
  readonly host: PirqHost;
  readonly maxPirqs: number;
}

export interface PirqSnapshot {
  readonly targets: readonly number[];
}

export class Pirqs {
  readonly maxPirqs: number;
  readonly #events: EventChannels;
  readonly #host: PirqHost;
  readonly #lock: Lock;
  /** Interrupt of each GSI, or UNUSED. */
  readonly #ofGsi: Int32Array<SharedArrayBuffer>;
  /** GSI of each interrupt, UNUSED or ALLOCATED. */
  readonly #targets: Int32Array<SharedArrayBuffer>;
  /** Last level seen on each mapped GSI. */
  readonly #levels: Int32Array<SharedArrayBuffer>;
  /** The last number given out a second time. */
  readonly #reused: Int32Array<SharedArrayBuffer>;

  constructor(parts: PirqParts) {
    this.maxPirqs = parts.maxPirqs;
    this.#events = parts.events;
    this.#host = parts.host;
    this.#lock = new Lock(parts.arena.int32(1));
    this.#ofGsi = parts.arena.int32(GSI_COUNT);
    this.#targets = parts.arena.int32(parts.maxPirqs);
    this.#levels = parts.arena.int32(GSI_COUNT);
    this.#reused = parts.arena.int32(1);
  }

  /** Nothing is mapped. */
  reset(): void {
    this.#ofGsi.fill(UNUSED);
    this.#targets.fill(UNUSED);
    this.#levels.fill(0);
    this.#reused.fill(0);
  }

  /**
   * The line `gsi` has a new level. True when it belongs to an event channel, so that the IOAPIC must not see it. Call it
   * without the IOAPIC's lock: the event may go out on another line.
   */
  gsiRaised(gsi: number, level: 0 | 1): boolean {
    const pirq = Atomics.load(this.#ofGsi, gsi);
    if (pirq < 0 || this.#events.pirqPort(pirq) === 0) return false;
    if (Atomics.exchange(this.#levels, gsi, level) === 0 && level === 1) this.#events.raisePirq(pirq);
    return true;
  }

  /** A function sent the message that stands for `pirq`. False when that is no PIRQ for messages. */
  raiseMessage(pirq: number): boolean {
    if (!this.#isMessage(pirq)) return false;
    this.#events.raisePirq(pirq);
    return true;
  }

  /** Whether `pirq` is one for messages that the guest has bound to a port. */
  isMessageBound(pirq: number): boolean {
    return this.#isMessage(pirq) && this.#events.pirqPort(pirq) !== 0;
  }

  /** PHYSDEVOP_map_pirq for a GSI; a negative `pirq` asks for any. The interrupt, or a negative error. */
  mapGsi(gsi: number, pirq: number): number {
    if (gsi < 0 || gsi >= GSI_COUNT || pirq >= this.maxPirqs) return Errno.EINVAL;
    this.#lock.acquire();
    try {
      const current = Atomics.load(this.#ofGsi, gsi);
      if (current >= 0 && (pirq < 0 || pirq === current)) return current;
      const wanted = pirq < 0 ? this.#findFree(true) : pirq;
      if (wanted < 0) return wanted;
      const target = Atomics.load(this.#targets, wanted);
      if (current >= 0 || target >= 0) return Errno.EBUSY;
      Atomics.store(this.#targets, wanted, gsi);
      Atomics.store(this.#levels, gsi, this.#host.gsiLevel(gsi));
      Atomics.store(this.#ofGsi, gsi, wanted);
      return wanted;
    } finally {
      this.#lock.release();
    }
  }

  /** PHYSDEVOP_unmap_pirq. To Xen, a number that stands for nothing, or is none, has been unmapped already. */
  unmap(pirq: number): void {
    if (pirq < 0 || pirq >= this.maxPirqs) return;
    this.#lock.acquire();
    try {
      const target = Atomics.exchange(this.#targets, pirq, UNUSED);
      if (target >= 0) Atomics.store(this.#ofGsi, target, UNUSED);
    } finally {
      this.#lock.release();
    }
  }

  /** PHYSDEVOP_get_free_pirq: an interrupt, or a negative error. */
  allocate(forGsi: boolean): number {
    this.#lock.acquire();
    try {
      const free = this.#findFree(forGsi);
      const pirq = free === Errno.ENOSPC ? this.#findForgotten() : free;
      if (pirq >= 0) Atomics.store(this.#targets, pirq, ALLOCATED);
      return pirq;
    } finally {
      this.#lock.release();
    }
  }

  /** EVTCHNOP_bind_pirq has bound `pirq`: a line that is up already would never raise it, a message may be masked. */
  bound(pirq: number): void {
    if (this.#isMessage(pirq)) this.#host.messagePirqChanged(pirq, true);
    const gsi = Atomics.load(this.#targets, pirq);
    if (gsi < 0) return;
    Atomics.store(this.#levels, gsi, this.#host.gsiLevel(gsi));
    this.#raiseIfHigh(pirq, gsi);
  }

  /** The guest may have closed the port of `pirq`. */
  released(pirq: number): void {
    if (this.#isMessage(pirq) && this.#events.pirqPort(pirq) === 0) this.#host.messagePirqChanged(pirq, false);
  }

  /** The guest has closed its ports. */
  releasedAll(): void {
    for (let pirq = 0; pirq < this.maxPirqs; pirq++) this.released(pirq);
  }

  /** PHYSDEVOP_eoi, of one that stands for something or is bound to a port. */
  eoi(pirq: number): number {
    if (pirq < 0 || pirq >= this.maxPirqs) return Errno.EINVAL;
    const gsi = Atomics.load(this.#targets, pirq);
    if (gsi === UNUSED && this.#events.pirqPort(pirq) === 0) return Errno.EINVAL;
    if (gsi >= 0) this.#raiseIfHigh(pirq, gsi);
    return 0;
  }

  /** PHYSDEVOP_irq_status_query: whether `pirq` wants PHYSDEVOP_eoi, as GSIs do; undefined when it stands for nothing. */
  needsEoi(pirq: number): boolean | undefined {
    if (!(pirq >= 0 && pirq < this.maxPirqs)) return undefined;
    const target = Atomics.load(this.#targets, pirq);
    return target === UNUSED ? undefined : target >= 0;
  }

  save(): PirqSnapshot {
    return { targets: Array.from(this.#targets) };
  }

  restore(state: PirqSnapshot): void {
    this.reset();
    this.#targets.set(state.targets);
    for (const [pirq, gsi] of state.targets.entries()) {
      if (gsi >= 0) Atomics.store(this.#ofGsi, gsi, pirq);
    }
  }

  #isMessage(pirq: number): boolean {
    return pirq >= 0 && pirq < this.maxPirqs && Atomics.load(this.#targets, pirq) === ALLOCATED;
  }

  /** Only for level-triggered lines: an edge has been told of once, and stays up for as long as the device likes. */
  #raiseIfHigh(pirq: number, gsi: number): void {
    if (gsi < ISA_GSIS && !this.#events.pirqShared(pirq)) return;
    if (this.#host.gsiLevel(gsi) === 1) this.#events.raisePirq(pirq);
  }

  /** GSIs prefer 16 to 23, then as messages do: from the top down to 24. Numbers below are never given. */
  #findFree(forGsi: boolean): number {
    if (forGsi) {
      for (let pirq = ISA_GSIS; pirq < Math.min(GSI_COUNT, this.maxPirqs); pirq++) {
        if (Atomics.load(this.#targets, pirq) === UNUSED) return pirq;
      }
    }
    for (let pirq = this.maxPirqs - 1; pirq >= GSI_COUNT; pirq--) {
      if (Atomics.load(this.#targets, pirq) === UNUSED) return pirq;
    }
    return Errno.ENOSPC;
  }

  /**
   * A number given out for a message that is neither bound nor in a function's registers. The one least lately reused: a
   * guest programs a number soon after it has got it.
   */
  #findForgotten(): number {
    const last = Math.max(Atomics.load(this.#reused, 0), GSI_COUNT);
    const count = this.maxPirqs - GSI_COUNT;
    for (let step = 1; step <= count; step++) {
      const pirq = GSI_COUNT + ((((last - GSI_COUNT - step) % count) + count) % count);
      if (!this.#isMessage(pirq) || this.#events.pirqPort(pirq) !== 0 || this.#host.messagePirqHeld(pirq)) continue;
      Atomics.store(this.#reused, 0, pirq);
      return pirq;
    }
    return Errno.ENOSPC;
  }
}
