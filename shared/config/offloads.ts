/**
 * What KVM's own Xen support may do for a machine, piece by piece: `KVM_XEN_HVM_CONFIG_*` of [KVM] 8.16. A piece that is
 * switched off, or that the host lacks, is done by us.
 */
import * as v from "valibot";
import { flag, oneOf } from "./fields.js";

export const offloadsSchema = v.strictObject({
  /** The first three are what the kernel transport stands on: without one of them it is not there. */
  hypercallMsr: flag(true),
  interceptHcall: flag(true),
  sharedInfo: flag(true),
  /** Runstate areas, with the steal time that only KVM knows. */
  runstate: flag(true),
  /** Events by irqfd. Of no effect: our interrupts come from threads of ours, which send without one. */
  evtchn2level: flag(true),
  /** Events, IPIs, polls and singleshot timers. */
  evtchnSend: flag(true),
  /** The mark in a runstate area that is being changed. */
  runstateUpdateFlag: flag(true),
  /** Takes "the TSC is stable" out of the guest's clock. "auto": where the host's TSC is not invariant. */
  pvclockTscUnstable: v.optional(oneOf(["auto", "on", "off"]), "auto"),
  /**
   * shared_info by our address, rather than by the frame at which the guest has it. Off unless asked for: with it, hosts
   * with Linux 6.12 have panicked in the testbed ("corrupted stack end detected inside scheduler"), for no known reason.
   */
  sharedInfoHva: flag(false),
});
