/**
 * The guest's clock, which KVM keeps (kvmclock, Xen's system time): it stands still with the machine's. Of all that KVM
 * keeps, the TSC and the local APIC's timer go on, as on QEMU.
 */
import type { MachineClock } from "./machine-clock.js";

export interface GuestClockHost {
  readonly clock: MachineClock;
  readonly vm: { clockNs(): number; setClockNs(clock: number): void };
  /** The device actor sleeps without a deadline while time stands still. */
  readonly bell: { ring(): void } | undefined;
}

/** The machine's thread uses it. */
export class GuestClock {
  readonly #host: GuestClockHost;

  constructor(host: GuestClockHost) {
    this.#host = host;
  }

  /**
   * With all vCPUs at rest. The guest's clock is read last here and goes on first in {@link start}: so it is never taken to
   * be ahead of what deadlines go by, and no timer fires early.
   */
  stop(): void {
    const { clock, vm } = this.#host;
    clock.stop();
    clock.holdGuest(vm.clockNs());
  }

  start(): void {
    const { bell, clock, vm } = this.#host;
    const held = clock.guestHeldNs;
    if (held >= 0) {
      clock.moveGuestBack(vm.clockNs() - held);
      vm.setClockNs(held);
    }
    clock.start();
    clock.letGuestGo();
    bell?.ring();
  }

  /** A guest that starts over does not care; KVM has set its vCPUs up by the clock as it went on. */
  letGo(): void {
    this.#host.clock.letGuestGo();
  }
}
