/** MSRs by which a guest places its hypercall page. [CPUID] xen.git xen/include/public/arch-x86/cpuid.h, leaf +2 */
import type { ResolvedConfig } from "../shared/config.js";
import { showsHyperv } from "./hyperv-cpuid.js";

/** Hyper-V has the first MSRs of the hypervisor's range for itself. */
const ALONE = 0x4000_0000;
const BESIDE_HYPERV = 0x4000_0200;

export function hypercallMsr(config: Pick<ResolvedConfig, "cpu">): number {
  return showsHyperv(config) ? BESIDE_HYPERV : ALONE;
}

/** Where Xen's CPUID leaves begin. */
const LEAVES_ALONE = 0x4000_0000;
const LEAVES_BESIDE_HYPERV = 0x4000_0100;

export function xenCpuidBase(config: Pick<ResolvedConfig, "cpu">): number {
  return showsHyperv(config) ? LEAVES_BESIDE_HYPERV : LEAVES_ALONE;
}

/**
 * A kernel that writes it runs at its own addresses: the moment to look at its hypercall functions. And the first that a
 * processor lets us see after INIT and SIPI.
 */
export const MSR_EFER = 0xc000_0080;
/**
 * And a kernel that another one has started (kexec), which finds EFER as it wants it and does not write it: Linux sets GS
 * for its first C code. [SDM] volume 4, 2.1, IA32_GS_BASE
 */
export const MSR_GS_BASE = 0xc000_0101;

/** The MSRs of which we see writes where KVM does not send events itself; `another` while the next kernel is waited for. */
export function watchedMsrs(config: Pick<ResolvedConfig, "cpu">, another: boolean): readonly number[] {
  return [hypercallMsr(config), MSR_EFER, ...(another ? [MSR_GS_BASE] : [])];
}
