/**
 * What a person gets to read of a vCPU that waits: what its local APIC holds for it, and what Xen does.
 *
 * [SDM] volume 3A, table 12-1 (the APIC's registers)
 */
import type { VcpuId } from "../shared/brand.js";
import type { XenDomain } from "../xen/xen-domain.js";
import { hex } from "./crash-report.js";
import type { Vcpu } from "./host/vcpu.js";

/** Byte offsets. IRR and ISR are eight words each, 16 bytes apart. */
const TPR = 0x80;
const SVR = 0xf0;
const ISR = 0x100;
const IRR = 0x200;
const LVT_TIMER = 0x320;
const WORDS = 8;

const MP_STATES: Readonly<Record<number, string | undefined>> = {
  0: "runnable",
  1: "waits for INIT",
  2: "waits for SIPI",
  3: "halted",
  4: "has a SIPI",
};

/** Lines; the second only of a Xen guest. `vcpu` is at rest, its timer with us. */
export function describeInterrupts(
  vcpu: Pick<Vcpu, "getLapic" | "getMpState">,
  index: VcpuId,
  xen: XenDomain | undefined,
): readonly string[] {
  const page = vcpu.getLapic();
  const view = new DataView(page.buffer, page.byteOffset);
  const state = vcpu.getMpState();
  const lapic = [
    `${MP_STATES[state] ?? `state ${state}`}; lapic svr ${hex(view.getUint32(SVR, true), 3)}`,
    `tpr ${hex(view.getUint32(TPR, true), 2)} timer ${hex(view.getUint32(LVT_TIMER, true), 5)}`,
    `irr ${vectors(view, IRR)} isr ${vectors(view, ISR)}`,
  ];
  return [lapic.join(" "), ...(xen === undefined ? [] : [xenLine(index, xen)])];
}

function xenLine(index: VcpuId, { delivery, domain, timers, host }: XenDomain): string {
  const own = domain.upcallVector(index);
  const selector = delivery.selector(index);
  const timer = timers.deadline(index);
  return [
    `xen: upcall ${delivery.upcallPending(index) ? "pending" : "not pending"} ${own === 0 ? "" : `vector ${hex(own, 2)} `}`,
    selector === undefined ? "" : `selector ${selector.toString(16)} `,
    timer === Infinity ? "no timer" : `timer in ${Math.round((timer - host.systemTimeNs()) / 1000)} us`,
  ].join("");
}

function vectors(view: DataView, register: number): string {
  const found: string[] = [];
  for (let vector = 0; vector < WORDS * 32; vector++) {
    const word = view.getUint32(register + (vector >>> 5) * 16, true);
    if (((word >>> (vector & 31)) & 1) !== 0) found.push(hex(vector, 2));
  }
  return found.join(",") || "-";
}
