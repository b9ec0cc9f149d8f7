/**
 * KVM's own SCHEDOP_poll. Where KVM sends events it polls, too (Linux 5.19 and later), and sleeps as a reader of the VM's
 * SRCU. Some calls return only when all readers have gone: of memory slots, of watched addresses, of a port's route that
 * is taken back. So they would wait for the poller, who may wait for the very vCPU that makes the call, or for a lock that
 * its guest holds.
 *
 * A signal ends such a sleep; to the guest that is a wake-up without an event, which Xen allows.
 *
 * Linux arch/x86/kvm/xen.c, kvm_xen_schedop_poll() and kvm_xen_eventfd_deassign()
 */
import { KvmXenFlag } from "./host/kvm-abi.js";
import type { Kicks } from "./kicks.js";
import type { MachineParts } from "./protocol.js";

export interface PollingThread {
  readonly kicks: Pick<Kicks, "whileHeld">;
  readonly parts: { readonly transport: MachineParts["transport"] };
}

/** Does `work`, which waits for KVM's readers, while no vCPU polls inside KVM. As {@link Kicks.whileHeld}. */
export function withoutPollers<T>({ kicks, parts: { transport } }: PollingThread, work: () => T): T {
  const polls = transport.kind === "kernel" && (transport.flags & KvmXenFlag.EVTCHN_SEND) !== 0;
  return polls ? kicks.whileHeld(work) : work();
}
