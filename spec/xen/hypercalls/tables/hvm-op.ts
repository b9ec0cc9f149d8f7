/** hvm_op. [HVMOP] xen.git xen/include/public/hvm/hvm_op.h; [PARAMS] hvm/params.h */
import * as abi from "../../../../xen/abi/hvm.js";
import { BACKEND, EINVAL, ENODATA, ENOENT, EOPNOTSUPP, EPERM, ESRCH, NO_VCPU, SELF, STRANGER } from "./errno.js";
import { Family } from "./family.js";
import { at, between, frameOf, now, OTHER_VCPU, THIS_VCPU } from "./value.js";

const family = new Family({ name: "hvm_op", number: 34, source: "hvm-op.ts", pointer: 1 });

const op = {
  setParam: family.operation({ number: 0, name: "HVMOP_set_param" }, "in", abi.hvmParam),
  getParam: family.operation({ number: 1, name: "HVMOP_get_param" }, "inout", abi.hvmParam),
  flushTlbs: family.bare(5, "HVMOP_flush_tlbs"),
  pagetableDying: family.operation({ number: 9, name: "HVMOP_pagetable_dying" }, "in", abi.hvmPagetableDying),
  getTime: family.operation({ number: 10, name: "HVMOP_get_time" }, "out", abi.hvmGetTime),
  xentrace: family.operation({ number: 11, name: "HVMOP_xentrace" }, "in", abi.hvmXentrace),
  getMemType: family.operation({ number: 15, name: "HVMOP_get_mem_type" }, "inout", abi.hvmGetMemType),
  setUpcallVector: family.operation(
    { number: 23, name: "HVMOP_set_evtchn_upcall_vector" },
    "in",
    abi.evtchnUpcallVector,
  ),
  guestRequest: family.bare(24, "HVMOP_guest_request_vm_event"),
  altp2m: family.bare(25, "HVMOP_altp2m"),
};

/** HVM_PARAM_*. */
const CALLBACK_IRQ = 0;
const STORE_PFN = 1;
const IOREQ_PFN = 5;
const DM_DOMAIN = 13;
const ACPI_S_STATE = 14;
const VM86_TSS = 15;
const CONSOLE_PFN = 17;
const ACPI_IOPORTS = 19;
const VM_GENERATION_ID = 34;
const X87_FIP_WIDTH = 36;
const VM86_TSS_SIZED = 37;
const NR_PARAMS = 39;
/** HVMMEM_*. */
const RAM = 0;
const MMIO = 2;
/** A vector of our own: exceptions are below 0x10. */
const VECTOR = 0xf0;
const RESERVED_VECTORS = 0x10;
/** Frame of the local APICs. */
const LAPIC_FRAME = 0xfee00;
/** Longest that a clock is read before a call, in ns. */
const LATE_NS = 60e9;
/** How events reach the running guest. */
const ITS_EVENTS = "events would reach it another way";
const CRASHES = "the machine would end";
/** A task state segment's address, and its size in bytes in the upper half: the least, that of VM86_TSS, the most. */
const TSS = 0x1234_5000n;
const TSS_LEAST = 104n << 32n;
const TSS_UNSAID = 128n << 32n;
const TSS_MOST = (104n + 32n + 8192n + 1n) << 32n;
/** Bytes beside a trace record's event, and events that a guest may name. */
const EXTRA_BYTES = 28;
const LAST_EVENT = 0xfff;

export const hvmOpTable = family.table([
  op.setParam.table("sets a parameter that a guest may set; the callback is acted upon, the rest kept", [
    op.setParam.row("keeps a value", { domid: SELF, index: VM_GENERATION_ID, value: 0x1234_5678_9abc_def0n }, 0, {
      last: [op.setParam.call({ domid: SELF, index: VM_GENERATION_ID, value: 0 })],
    }),
    op.setParam.row("takes the address of a task state segment", { domid: SELF, index: VM86_TSS, value: TSS }, 0),
    op.setParam.row("takes one of 104 bytes", { domid: SELF, index: VM86_TSS_SIZED, value: TSS + TSS_LEAST }, 0),
    op.setParam.row("ends a domain that has one of 103", { domid: SELF, index: VM86_TSS_SIZED, value: TSS }, EINVAL, {
      notInGuest: CRASHES,
    }),
    op.setParam.row(
      "ends a domain that has one beyond 4 GiB",
      { domid: SELF, index: VM86_TSS, value: 1n << 32n },
      EINVAL,
      {
        notInGuest: CRASHES,
      },
    ),
    op.setParam.row(
      "takes a vector for the callback",
      { domid: SELF, index: CALLBACK_IRQ, value: 0x0200_0000_0000_00f3n },
      0,
      {
        notInGuest: ITS_EVENTS,
      },
    ),
    op.setParam.row("takes a GSI for the callback", { domid: SELF, index: CALLBACK_IRQ, value: 11 }, 0, {
      notInGuest: ITS_EVENTS,
    }),
    op.setParam.row("H12: refuses an index past the last", { domid: SELF, index: NR_PARAMS, value: 0 }, EINVAL),
    op.setParam.row("H12: refuses index 2^32-1", { domid: SELF, index: 0xffff_ffff, value: 0 }, EINVAL),
    op.setParam.row("H12: refuses the store's page", { domid: SELF, index: STORE_PFN, value: 1 }, EPERM),
    op.setParam.row("H12: refuses the console's page", { domid: SELF, index: CONSOLE_PFN, value: 1 }, EPERM),
    op.setParam.row("H12: refuses a device model's page", { domid: SELF, index: IOREQ_PFN, value: 1 }, EPERM),
    op.setParam.row("H12: refuses the sleep state", { domid: SELF, index: ACPI_S_STATE, value: 3 }, EPERM),
    op.setParam.row("refuses an x87 that is 5 bytes wide", { domid: SELF, index: X87_FIP_WIDTH, value: 5 }, EINVAL),
    op.setParam.row("takes one that is 8 bytes wide", { domid: SELF, index: X87_FIP_WIDTH, value: 8 }, 0, {
      last: [op.setParam.call({ domid: SELF, index: X87_FIP_WIDTH, value: 0 })],
    }),
    op.setParam.row("refuses a third place of the PM timer", { domid: SELF, index: ACPI_IOPORTS, value: 2 }, EINVAL),
    op.setParam.row("refuses a device model's domain", { domid: SELF, index: DM_DOMAIN, value: SELF }, EPERM),
    op.setParam.row("refuses the back ends' domain", { domid: BACKEND, index: VM86_TSS, value: 1 }, EINVAL),
    op.setParam.row("refuses another domain", { domid: STRANGER, index: VM86_TSS, value: 1 }, ESRCH),
  ]),
  op.getParam.table("tells a parameter that a guest may know", [
    op.getParam.row("tells what was set", { domid: SELF, index: VM_GENERATION_ID, value: 0 }, 0, {
      first: [op.setParam.call({ domid: SELF, index: VM_GENERATION_ID, value: 0x1234_5678_9abc_def0n })],
      after: { value: 0x1234_5678_9abc_def0n },
      last: [op.setParam.call({ domid: SELF, index: VM_GENERATION_ID, value: 0 })],
    }),
    ...(
      [
        ["128 bytes where no size was given", VM86_TSS, TSS, VM86_TSS_SIZED, TSS + TSS_UNSAID],
        ["the address alone", VM86_TSS_SIZED, TSS + TSS_LEAST, VM86_TSS, TSS],
        ["no more bytes than are of use", VM86_TSS_SIZED, TSS + (0xffff_ffffn << 32n), VM86_TSS_SIZED, TSS + TSS_MOST],
        ["none any more", VM86_TSS, 0n, VM86_TSS_SIZED, 0n],
      ] as const
    ).map(([what, set, given, get, told]) =>
      op.getParam.row(`tells of a task state segment: ${what}`, { domid: SELF, index: get, value: 0 }, 0, {
        first: [op.setParam.call({ domid: SELF, index: set, value: given })],
        after: { value: told },
      }),
    ),
    op.getParam.row("tells the store's page", { domid: SELF, index: STORE_PFN, value: 0 }, 0, {
      after: { value: between(1, 0xf_ffff) },
    }),
    op.getParam.row("tells 0 of what was never set", { domid: SELF, index: X87_FIP_WIDTH, value: 5 }, 0, {
      after: { value: 0 },
    }),
    op.getParam.row("H12: refuses an index past the last", { domid: SELF, index: NR_PARAMS, value: 0 }, EINVAL),
    op.getParam.row("H12: refuses a device model's page", { domid: SELF, index: IOREQ_PFN, value: 0 }, EPERM),
    op.getParam.row("knows no device model's domain", { domid: SELF, index: DM_DOMAIN, value: 0 }, ENODATA),
    op.getParam.row("refuses another domain", { domid: STRANGER, index: STORE_PFN, value: 0 }, ESRCH),
  ]),
  op.flushTlbs.table("has every vCPU forget its translations of addresses; takes no mask of vCPUs, as in Xen", [
    op.flushTlbs.row("flushes", {}, 0),
    op.flushTlbs.row("refuses a mask", {}, EINVAL, { args: { 1: at("argument") } }),
  ]),
  op.pagetableDying.table("refused: a hint for shadow paging alone", [
    op.pagetableDying.row("refuses", { domid: SELF, gpa: 0x1000 }, EINVAL),
    op.pagetableDying.row("refuses another domain", { domid: STRANGER, gpa: 0x1000 }, ESRCH),
  ]),
  op.getTime.table("system time in ns", [
    op.getTime.row("tells it", {}, 0, { after: { now: between(now(-LATE_NS), now(LATE_NS)) } }),
  ]),
  op.xentrace.table("checks a trace record, which nobody collects", [
    op.xentrace.row("takes one", { event: LAST_EVENT, extraBytes: EXTRA_BYTES }, 0),
    op.xentrace.row("refuses one that is too long", { event: 1, extraBytes: EXTRA_BYTES + 1 }, EINVAL),
    op.xentrace.row("refuses an event of the hypervisor's", { event: LAST_EVENT + 1, extraBytes: 0 }, EINVAL),
  ]),
  op.getMemType.table("RAM, or MMIO for all else", [
    op.getMemType.row("tells of RAM", { domid: SELF, pfn: frameOf("spare") }, 0, { after: { memType: RAM } }),
    op.getMemType.row("tells of the local APIC's frame", { domid: SELF, pfn: LAPIC_FRAME }, 0, {
      after: { memType: MMIO },
    }),
    op.getMemType.row("tells of frame 2^52", { domid: SELF, pfn: 1n << 52n }, 0, { after: { memType: MMIO } }),
    op.getMemType.row("refuses the back ends' domain", { domid: BACKEND, pfn: 0 }, EPERM),
    op.getMemType.row("refuses another domain", { domid: STRANGER, pfn: 0 }, ESRCH),
  ]),
  op.setUpcallVector.table("gives a vCPU a vector of its own for events", [
    op.setUpcallVector.row("sets one", { vcpu: THIS_VCPU, vector: VECTOR }, 0, { notInGuest: ITS_EVENTS }),
    op.setUpcallVector.row("sets one of another vCPU", { vcpu: OTHER_VCPU, vector: VECTOR }, 0, {
      vcpus: 2,
      notInGuest: ITS_EVENTS,
    }),
    op.setUpcallVector.row("H13: refuses an exception's", { vcpu: THIS_VCPU, vector: RESERVED_VECTORS - 1 }, EINVAL),
    op.setUpcallVector.row("H13: refuses vector 0", { vcpu: THIS_VCPU, vector: 0 }, EINVAL),
    op.setUpcallVector.row("H13: refuses a vCPU that is not", { vcpu: NO_VCPU, vector: VECTOR }, ENOENT),
  ]),
  op.guestRequest.table("nothing: nobody monitors the guest", [
    op.guestRequest.row("does nothing", {}, 0),
    op.guestRequest.row("refuses a pointer", {}, EINVAL, { args: { 1: at("argument") } }),
  ]),
  op.altp2m.table("refused", [op.altp2m.row("refuses", {}, EOPNOTSUPP, { args: { 1: at("argument") } })]),
]);
