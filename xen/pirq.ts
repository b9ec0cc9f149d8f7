/**
 * Physical interrupts that the guest takes as event channels: emulated GSIs, mapped by number.
 *
 * [PHYSDEV] xen.git xen/include/public/physdev.h
 *
 * A GSI that is mapped and bound no longer reaches the IOAPIC; the 8259 hears of it in any case. A level-triggered line
 * raises its channel when it goes up, and again at PHYSDEVOP_eoi while it stays up.
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

export interface PirqParts {
  readonly arena: SharedArena;
  readonly events: EventChannels;
  readonly host: Pick<XenHost, "gsiLevel">;
  readonly maxPirqs: number;
}

export interface PirqSnapshot {
  readonly targets: readonly number[];
}

export class Pirqs {
  readonly maxPirqs: number;
  readonly #events: EventChannels;
  readonly #host: Pick<XenHost, "gsiLevel">;
  readonly #lock: Lock;
  /** Interrupt of each GSI, or UNUSED. */
  readonly #ofGsi: Int32Array<SharedArrayBuffer>;
  /** GSI of each interrupt, UNUSED or ALLOCATED. */
  readonly #targets: Int32Array<SharedArrayBuffer>;
  /** Last level seen on each mapped GSI. */
  readonly #levels: Int32Array<SharedArrayBuffer>;

  constructor(parts: PirqParts) {
    this.maxPirqs = parts.maxPirqs;
    this.#events = parts.events;
    this.#host = parts.host;
    this.#lock = new Lock(parts.arena.int32(1));
    this.#ofGsi = parts.arena.int32(GSI_COUNT);
    this.#targets = parts.arena.int32(parts.maxPirqs);
    this.#levels = parts.arena.int32(GSI_COUNT);
  }

  /** Nothing is mapped. */
  reset(): void {
    this.#ofGsi.fill(UNUSED);
    this.#targets.fill(UNUSED);
    this.#levels.fill(0);
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

  /** PHYSDEVOP_unmap_pirq. */
  unmap(pirq: number): number {
    if (pirq < 0 || pirq >= this.maxPirqs) return Errno.EINVAL;
    this.#lock.acquire();
    try {
      const target = Atomics.exchange(this.#targets, pirq, UNUSED);
      if (target === UNUSED) return Errno.EINVAL;
      if (target >= 0) Atomics.store(this.#ofGsi, target, UNUSED);
      return 0;
    } finally {
      this.#lock.release();
    }
  }

  /** PHYSDEVOP_get_free_pirq: an interrupt, or a negative error. */
  allocate(forGsi: boolean): number {
    this.#lock.acquire();
    try {
      const pirq = this.#findFree(forGsi);
      if (pirq >= 0) Atomics.store(this.#targets, pirq, ALLOCATED);
      return pirq;
    } finally {
      this.#lock.release();
    }
  }

  /** EVTCHNOP_bind_pirq has bound `pirq`: a line that is up already would never raise it. */
  bound(pirq: number): void {
    const gsi = Atomics.load(this.#targets, pirq);
    if (gsi < 0) return;
    Atomics.store(this.#levels, gsi, this.#host.gsiLevel(gsi));
    this.#raiseIfHigh(pirq, gsi);
  }

  /** PHYSDEVOP_eoi. */
  eoi(pirq: number): number {
    if (pirq < 0 || pirq >= this.maxPirqs) return Errno.EINVAL;
    const gsi = Atomics.load(this.#targets, pirq);
    if (gsi >= 0) this.#raiseIfHigh(pirq, gsi);
    return 0;
  }

  /** Whether `pirq` stands for a GSI, which wants PHYSDEVOP_eoi. */
  isGsi(pirq: number): boolean {
    return pirq >= 0 && pirq < this.maxPirqs && Atomics.load(this.#targets, pirq) >= 0;
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
}
