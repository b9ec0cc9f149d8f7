/**
 * KVM reports the EOI of a level-triggered IOAPIC interrupt only when its GSI routing table holds that pin's MSI. Setting
 * the table waits for an RCU grace period in the host, so it is set only when an unmasked level entry has really changed.
 */
import type { SharedArena } from "../shared/arena.js";
import { Lock } from "../shared/lock.js";
import type { IoApic } from "../devices/ioapic.js";
import { IOAPIC_PINS } from "./host/kvm.js";
import type { Vm } from "./host/kvm.js";

const LEVEL_TRIGGERED = 1 << 15;
/** Address low, address high, data. */
const WORDS_PER_PIN = 3;

export class IoapicRoutes {
  readonly #vm: Vm;
  readonly #lock: Lock;
  /** What KVM has, by pin. */
  readonly #set: Uint32Array<SharedArrayBuffer>;
  #ioapic: IoApic | undefined;

  constructor(arena: SharedArena, vm: Vm) {
    this.#vm = vm;
    this.#lock = new Lock(arena.int32(1));
    this.#set = arena.uint32(IOAPIC_PINS * WORDS_PER_PIN);
  }

  connect(ioapic: IoApic): void {
    this.#ioapic = ioapic;
  }

  /** Brings KVM's table up to date with the IOAPIC's entries. */
  update(): void {
    const ioapic = this.#ioapic;
    if (ioapic === undefined) return;
    this.#lock.acquire();
    try {
      let changed = false;
      for (let pin = 0; pin < IOAPIC_PINS; pin++) {
        const { address, data, masked } = ioapic.route(pin);
        const used = !masked && (data & LEVEL_TRIGGERED) !== 0;
        changed = this.#put(pin * WORDS_PER_PIN, used ? address % 0x1_0000_0000 : 0) || changed;
        changed = this.#put(pin * WORDS_PER_PIN + 1, used ? Math.floor(address / 0x1_0000_0000) : 0) || changed;
        changed = this.#put(pin * WORDS_PER_PIN + 2, used ? data : 0) || changed;
      }
      if (changed) this.#vm.setIoapicRoutes(this.#set);
    } finally {
      this.#lock.release();
    }
  }

  #put(index: number, value: number): boolean {
    if (this.#set[index] === value) return false;
    this.#set[index] = value;
    return true;
  }
}
