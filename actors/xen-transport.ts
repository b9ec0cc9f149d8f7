/** How a machine's hypercalls and events travel: by what the host's KVM has, and by what the configuration lets it do. */
import type { AccelConfig } from "../shared/config.js";
import { VmmError } from "../shared/errors.js";
import { KvmXenFlag } from "./host/kvm-abi.js";
import type { Transport } from "./protocol.js";

type OffloadName = keyof AccelConfig["offloads"];

/** Each piece's bit of KVM_CAP_XEN_HVM. */
export const OFFLOAD_FLAGS: Readonly<Record<OffloadName, number>> = {
  hypercallMsr: KvmXenFlag.HYPERCALL_MSR,
  interceptHcall: KvmXenFlag.INTERCEPT_HCALL,
  sharedInfo: KvmXenFlag.SHARED_INFO,
  runstate: KvmXenFlag.RUNSTATE,
  evtchn2level: KvmXenFlag.EVTCHN_2LEVEL,
  evtchnSend: KvmXenFlag.EVTCHN_SEND,
  runstateUpdateFlag: KvmXenFlag.RUNSTATE_UPDATE_FLAG,
  pvclockTscUnstable: KvmXenFlag.PVCLOCK_TSC_UNSTABLE,
  sharedInfoHva: KvmXenFlag.SHARED_INFO_HVA,
};

/** Flags without which KVM's Xen support is of no use to us. */
const REQUIRED = KvmXenFlag.HYPERCALL_MSR | KvmXenFlag.INTERCEPT_HCALL | KvmXenFlag.SHARED_INFO;

/** Whether a KVM with these flags of KVM_CAP_XEN_HVM can be the kernel transport. */
export function carriesKernelTransport(flags: number): boolean {
  return (flags & REQUIRED) === REQUIRED;
}

/** What of the host bears on the choice. */
export interface XenHostFacts {
  /** KVM_CAP_XEN_HVM. */
  readonly flags: number;
  /** The guest's TSC keeps its pace in all of the processor's states. */
  readonly invariantTsc: boolean;
}

/**
 * @throws VmmError CONFIG when the configuration contradicts itself, HOST_UNSUPPORTED when the host lacks what it insists on
 */
export function chooseTransport(accel: AccelConfig, host: XenHostFacts): Transport {
  if (accel.xenVersion === 0) return { kind: "none" };
  const able = carriesKernelTransport(host.flags);
  const flags = host.flags & ~refused(accel, host);
  if (accel.transport === "kernel" && !able) {
    throw new VmmError(
      "HOST_UNSUPPORTED",
      `Cannot use xen-transport=kernel: this KVM has no Xen support (KVM_CAP_XEN_HVM is 0x${host.flags.toString(16)}; it needs Linux 5.12 with CONFIG_KVM_XEN)`,
      { flags: host.flags },
    );
  }
  if (accel.transport === "kernel" && !carriesKernelTransport(flags)) {
    const path = "accel.transport";
    const reason = "kernel needs the offloads hypercall-msr, intercept-hcall and shared-info: one of them is off";
    throw new VmmError("CONFIG", `${path}: ${reason}`, { path, reason });
  }
  const kernel = carriesKernelTransport(flags) && accel.transport !== "userspace";
  if (accel.offloads.pvclockTscUnstable === "on" && (!kernel || (flags & KvmXenFlag.PVCLOCK_TSC_UNSTABLE) === 0)) {
    throw new VmmError(
      "HOST_UNSUPPORTED",
      "Cannot use xen-offload-pvclock-tsc-unstable=on: it needs the kernel transport and Linux 6.8",
      { flags: host.flags },
    );
  }
  return kernel ? { kind: "kernel", flags } : { kind: "userspace" };
}

/** Flags that this machine does without. */
function refused({ offloads }: AccelConfig, { invariantTsc }: XenHostFacts): number {
  let flags = 0;
  for (const [name, flag] of Object.entries(OFFLOAD_FLAGS)) {
    const wish = offloads[name as OffloadName];
    if (wish === false || wish === "off" || (wish === "auto" && invariantTsc)) flags |= flag;
  }
  return flags;
}

/** `flags` of struct kvm_xen_hvm_config for a transport of these; `delivers`: KVM sends and polls by itself. */
export function hvmConfigFlags(flags: number, delivers: boolean): number {
  const wanted = KvmXenFlag.PVCLOCK_TSC_UNSTABLE | (delivers ? KvmXenFlag.EVTCHN_SEND : 0);
  return KvmXenFlag.INTERCEPT_HCALL | (flags & wanted);
}
