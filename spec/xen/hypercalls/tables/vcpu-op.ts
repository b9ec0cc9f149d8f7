/** vcpu_op. [VCPU] xen.git xen/include/public/vcpu.h */
import { bytes, u16, u32, u64n } from "../../../../shared/struct.js";
import { dualStruct } from "../../../../xen/abi/dual-struct.js";
import { vcpuHvmContext } from "../../../../xen/abi/hvm-vcpu.js";
import * as abi from "../../../../xen/abi/vcpu.js";
import { EEXIST, EFAULT, EINVAL, ENOENT, ENXIO, NO_VCPU } from "./errno.js";
import { Family } from "./family.js";
import type { Operation, RowOptions } from "./family.js";
import type { Call, Fields, Row } from "./row.js";
import { at, frameOf, now, OTHER_VCPU, THIS_VCPU } from "./value.js";

const family = new Family({ name: "vcpu_op", number: 24, source: "vcpu-op.ts", pointer: 2, args: { 1: THIS_VCPU } });

const op = {
  initialise: family.operation({ number: 0, name: "VCPUOP_initialise" }, "in", vcpuHvmContext),
  up: family.bare(1, "VCPUOP_up"),
  down: family.bare(2, "VCPUOP_down"),
  isUp: family.bare(3, "VCPUOP_is_up"),
  runstateInfo: family.operation({ number: 4, name: "VCPUOP_get_runstate_info" }, "out", abi.runstateInfo),
  registerRunstate: family.operation(
    { number: 5, name: "VCPUOP_register_runstate_memory_area" },
    "in",
    abi.registerArea,
  ),
  setPeriodic: family.operation({ number: 6, name: "VCPUOP_set_periodic_timer" }, "in", abi.setPeriodicTimer),
  stopPeriodic: family.bare(7, "VCPUOP_stop_periodic_timer"),
  setSingleshot: family.operation({ number: 8, name: "VCPUOP_set_singleshot_timer" }, "in", abi.setSingleshotTimer, {
    byKvm: true,
  }),
  stopSingleshot: family.bare(9, "VCPUOP_stop_singleshot_timer"),
  registerInfo: family.operation({ number: 10, name: "VCPUOP_register_vcpu_info" }, "in", abi.registerVcpuInfo),
  sendNmi: family.bare(11, "VCPUOP_send_nmi"),
  physid: family.bare(12, "VCPUOP_get_physid"),
  registerTime: family.operation({ number: 13, name: "VCPUOP_register_vcpu_time_memory_area" }, "in", abi.registerArea),
  runstatePhys: family.operation({ number: 14, name: "VCPUOP_register_runstate_phys_area" }, "in", abi.registerArea),
  timePhys: family.operation({ number: 15, name: "VCPUOP_register_vcpu_time_phys_area" }, "in", abi.registerArea),
};

/** struct vcpu_hvm_context with the registers of each mode, for callers of both: no field's place depends on them. */
const context64 = dualStruct("vcpu_hvm_context", [128, 128], () => ({
  ...{ mode: u32, pad: u32 },
  ...{
    rax: u64n,
    rcx: u64n,
    rdx: u64n,
    rbx: u64n,
    rsp: u64n,
    rbp: u64n,
    rsi: u64n,
    rdi: u64n,
    rip: u64n,
    rflags: u64n,
  },
  ...{ cr0: u64n, cr3: u64n, cr4: u64n, efer: u64n, rest: bytes(8, 8) },
}));
const context32 = dualStruct("vcpu_hvm_context", [128, 128], () => ({
  ...{ mode: u32, pad: u32 },
  ...{ eax: u32, ecx: u32, edx: u32, ebx: u32, esp: u32, ebp: u32, esi: u32, edi: u32, eip: u32, eflags: u32 },
  ...{ cr0: u32, cr3: u32, cr4: u32, pad1: u32, efer: u64n },
  ...{ csBase: u32, dsBase: u32, ssBase: u32, esBase: u32, trBase: u32 },
  ...{ csLimit: u32, dsLimit: u32, ssLimit: u32, esLimit: u32, trLimit: u32 },
  ...{ csAr: u16, dsAr: u16, ssAr: u16, esAr: u16, trAr: u16, pad2: bytes(6, 2) },
}));
const initialise64 = family.operation({ number: 0, name: "VCPUOP_initialise" }, "in", context64);
const initialise32 = family.operation({ number: 0, name: "VCPUOP_initialise" }, "in", context32);

/** VCPU_HVM_MODE_64B: paging (CR0.PG, PE), CR4.PAE, and EFER.LME. */
const LONG: Fields = {
  ...{ mode: 1, pad: 0, rip: 0xffff_8000_0010_0000n, rsp: 0x8000, rflags: 2 },
  ...{ cr0: 0x8000_0001, cr3: 0x2000, cr4: 0x20, efer: 0x100 },
};
/** VCPU_HVM_MODE_32B: protected mode without paging; flat code and data, a task state segment. */
const FLAT: Fields = {
  ...{ mode: 0, pad: 0, eip: 0x10_0000, eflags: 2, cr0: 1, cr3: 0, cr4: 0, pad1: 0, efer: 0, pad2: "" },
  ...{ csLimit: 0xffff_ffff, dsLimit: 0xffff_ffff, ssLimit: 0xffff_ffff, esLimit: 0, trLimit: 0x67 },
  ...{ csAr: 0xc9b, dsAr: 0xc93, ssAr: 0xc93, esAr: 0, trAr: 0x8b },
};
/** Attributes of data that can only be read. */
const READ_ONLY_DATA = 0xc91;
const EFER_LMA_ALONE = 0x400;
const NOT_CANONICAL_RIP = 0x8000_0000_0000n;

/** RUNSTATE_running. */
const RUNNING = 0;
/** ns. */
const MS = 1e6;
const DAY = 86_400e9;
const MIN_PERIOD = MS;
const MAX_PERIOD = 1n << 62n;
/** struct vcpu_info, in bytes. */
const VCPU_INFO = 64;
const PAGE = 4096;
const ONCE = "a vCPU registers its vcpu_info once";
const STARTED = "its other vCPUs have been started";
const other = { vcpus: 2, args: { 1: OTHER_VCPU } } as const;

/** A vCPU that is not, to any of them. */
function noVcpu(operation: Operation): Row {
  return operation.row("refuses a vCPU that is not", {}, ENOENT, { args: { 1: NO_VCPU } });
}

/** Physical addresses at which no area may lie; ~0 takes one away. */
function physicalAreas(operation: Operation): readonly Row[] {
  return [
    operation.row("lets go of it", { address: -1 }, 0),
    operation.row("refuses one that is not aligned", { address: 0x1002 }, ENXIO),
    operation.row("H15: refuses one across pages", { address: 0x1ff8 }, ENXIO),
    operation.row("refuses one without memory", { address: 1n << 43n }, EINVAL),
    noVcpu(operation),
  ];
}

function last(...calls: readonly Call[]): Pick<RowOptions, "last"> {
  return { last: calls };
}

/** Addresses at which no area may lie. */
function badAreas(operation: Operation): readonly Row[] {
  return [
    operation.row("H3: refuses an area that is not there", { address: at("hole") }, EFAULT),
    operation.row("H3: refuses an area that is read-only", { address: at("read-only") }, EFAULT),
    operation.row("H15: refuses an area of which the end is not there", { address: at("cliff", -16) }, EFAULT),
    operation.row("H3: refuses an area that is not canonical", { address: at("not canonical") }, EFAULT, { mode: 64 }),
    operation.row("refuses an area where nothing is", { address: at("nowhere") }, EFAULT),
    noVcpu(operation),
  ];
}

const fresh = { ...other, notInGuest: STARTED } as const;
const up = op.up.call({}, 0, other);
const isUp = op.isUp.call({}, 1, other);
const stopPeriodic = op.stopPeriodic.call({});
const stopSingleshot = op.stopSingleshot.call({});
const dropRunstate = op.registerRunstate.call({ address: 0 });
const dropTime = op.registerTime.call({ address: 0 });

export const vcpuOpTable = family.table([
  op.initialise.table("gives a vCPU its first registers, before VCPUOP_up", [
    op.initialise.row("refuses one that runs", { mode: 1, pad: 0 }, EEXIST),
    initialise64.row("takes a vCPU's registers in 64-bit mode", LONG, 0, { ...fresh, last: [up, isUp] }),
    initialise32.row("takes a vCPU's registers in 32-bit mode", FLAT, 0, { ...fresh, last: [up, isUp] }),
    initialise64.row("refuses a second set", LONG, EEXIST, { ...fresh, first: [initialise64.call(LONG, 0, other)] }),
    initialise64.row("refuses one that has run", LONG, EEXIST, {
      ...fresh,
      first: [initialise64.call(LONG, 0, other), up, op.down.call({}, 0, other)],
    }),
    ...(
      [
        ["without paging in 64-bit mode", { cr0: 1 }],
        ["without PAE in 64-bit mode", { cr4: 0 }],
        ["without EFER.LME in 64-bit mode", { efer: 0 }],
        ["with a bit in CR4 that no processor has", { cr4: 0x8000_0020 }],
        ["with a bit in EFER that no processor has", { efer: 0x102 }],
        ["with an RIP that is not canonical", { rip: NOT_CANONICAL_RIP }],
      ] as const
    ).map(([what, fields]) => initialise64.row(`refuses one ${what}`, { ...LONG, ...fields }, EINVAL, fresh)),
    ...(
      [
        ["with EFER.LMA alone", { efer: EFER_LMA_ALONE }],
        ["with its EIP past the end of its code", { csLimit: 0x10, csAr: 0x49b }],
        ["without code", { csAr: 0xc93 }],
        ["with a stack to read only", { ssAr: READ_ONLY_DATA }],
        ["with data that is not present", { dsAr: 0xc13 }],
        ["without a task", { trAr: 0 }],
        ["with a padding among its registers", { pad1: 1 }],
      ] as const
    ).map(([what, fields]) => initialise32.row(`refuses one ${what}`, { ...FLAT, ...fields }, EINVAL, fresh)),
    op.initialise.row("refuses a mode that is not", { mode: 2, pad: 0 }, EINVAL, { ...other, notInGuest: STARTED }),
    op.initialise.row("refuses a padding", { mode: 1, pad: 1 }, EINVAL, { ...other, notInGuest: STARTED }),
    noVcpu(op.initialise),
  ]),
  op.up.table("lets a vCPU that has registers run", [
    op.up.row("does nothing to one that is up", {}, 0),
    op.up.row("refuses one without registers", {}, EINVAL, { ...other, notInGuest: STARTED }),
    noVcpu(op.up),
  ]),
  op.down.table("stops a vCPU where it is; the last one powers off", [
    op.down.row("powers off with the last", {}, 0, { notInGuest: "the machine would end" }),
    noVcpu(op.down),
  ]),
  op.isUp.table("whether a vCPU is up", [
    op.isUp.row("is true of the caller", {}, 1),
    noVcpu(op.isUp),
    op.isUp.row("refuses vCPU 2^32-1", {}, ENOENT, { args: { 1: 0xffff_ffff } }),
  ]),
  op.runstateInfo.table("how a vCPU's time went", [
    op.runstateInfo.row("tells that the caller runs", {}, 0, { after: { state: RUNNING } }),
    op.runstateInfo.row("tells of another vCPU", {}, 0, other),
    noVcpu(op.runstateInfo),
  ]),
  op.registerRunstate.table("a place where a vCPU's runstate is kept; across pages too, 0 for none", [
    op.registerRunstate.row("takes a place", { address: at("spare") }, 0, last(dropRunstate)),
    op.registerRunstate.row("H15: takes a place across pages", { address: at("boundary", -20) }, 0, last(dropRunstate)),
    op.registerRunstate.row("lets go of it", { address: 0 }, 0),
    ...badAreas(op.registerRunstate),
  ]),
  op.setPeriodic.table("raises VIRQ_TIMER each so many ns, from 1 ms on", [
    op.setPeriodic.row("sets a period of a day", { periodNs: DAY }, 0, last(stopPeriodic)),
    op.setPeriodic.row("H16: sets one of 1 ms", { periodNs: MIN_PERIOD }, 0, last(stopPeriodic)),
    op.setPeriodic.row("sets another vCPU's", { periodNs: DAY }, 0, {
      ...other,
      last: [op.stopPeriodic.call({}, 0, { args: { 1: OTHER_VCPU } })],
    }),
    op.setPeriodic.row("H16: refuses one below 1 ms", { periodNs: MIN_PERIOD - 1 }, EINVAL),
    op.setPeriodic.row("H16: refuses a period of 0", { periodNs: 0 }, EINVAL),
    op.setPeriodic.row("H16: refuses one above 2^62 ns", { periodNs: MAX_PERIOD * 2n }, EINVAL),
    noVcpu(op.setPeriodic),
  ]),
  op.stopPeriodic.table("stops it", [
    op.stopPeriodic.row("stops one", {}, 0, { first: [op.setPeriodic.call({ periodNs: DAY })] }),
    op.stopPeriodic.row("stops one that does not run", {}, 0),
    noVcpu(op.stopPeriodic),
  ]),
  op.setSingleshot.table("raises VIRQ_TIMER at a time; at once when that is past", [
    op.setSingleshot.row("sets one", { timeoutAbsNs: now(DAY), flags: 0 }, 0, last(stopSingleshot)),
    op.setSingleshot.row("H17: sets one in the past", { timeoutAbsNs: 1, flags: 0 }, 0),
    op.setSingleshot.row("H17: sets one that is negative", { timeoutAbsNs: -1, flags: 0 }, 0, last(stopSingleshot)),
    op.setSingleshot.row("H17: refuses another vCPU's", { timeoutAbsNs: now(DAY), flags: 0 }, EINVAL, other),
    noVcpu(op.setSingleshot),
  ]),
  op.stopSingleshot.table("stops it", [
    op.stopSingleshot.row("stops one", {}, 0, { first: [op.setSingleshot.call({ timeoutAbsNs: now(DAY), flags: 0 })] }),
    op.stopSingleshot.row("stops one that does not run", {}, 0),
    op.stopSingleshot.row("H17: refuses another vCPU's", {}, EINVAL, other),
    noVcpu(op.stopSingleshot),
  ]),
  op.registerInfo.table("moves a vCPU's vcpu_info out of shared_info, once", [
    op.registerInfo.row("takes a place", { mfn: frameOf("spare"), offset: 128, rsvd: 0 }, 0, { notInGuest: ONCE }),
    op.registerInfo.row("H14: refuses a second place", { mfn: frameOf("other spare"), offset: 0, rsvd: 0 }, EINVAL, {
      first: [op.registerInfo.call({ mfn: frameOf("spare"), offset: 128, rsvd: 0 })],
      notInGuest: ONCE,
    }),
    op.registerInfo.row(
      "H14: refuses one across a page's end",
      { mfn: frameOf("spare"), offset: PAGE - VCPU_INFO + 1, rsvd: 0 },
      EINVAL,
    ),
    op.registerInfo.row("H14: refuses offset 2^32-64", { mfn: frameOf("spare"), offset: 0xffff_ffc0, rsvd: 0 }, EINVAL),
    op.registerInfo.row("refuses a frame without memory", { mfn: 0x3fff_ffff, offset: 0, rsvd: 0 }, EINVAL),
    noVcpu(op.registerInfo),
  ]),
  op.sendNmi.table("a non-maskable interrupt", [
    op.sendNmi.row("sends one", {}, 0, { notInGuest: "nobody takes it there" }),
    op.sendNmi.row("refuses an argument", {}, EINVAL, { args: { 2: at("argument") } }),
    noVcpu(op.sendNmi),
  ]),
  op.physid.table("refused: vCPUs have no processor of their own", [
    op.physid.row("refuses", {}, EINVAL, { args: { 2: at("argument") } }),
    noVcpu(op.physid),
  ]),
  op.registerTime.table("a second place where a vCPU's time is kept; 0 for none", [
    op.registerTime.row("takes a place", { address: at("spare") }, 0, last(dropTime)),
    op.registerTime.row("lets go of it", { address: 0 }, 0),
    op.registerTime.row("H15: refuses one across pages", { address: at("boundary", -16) }, EFAULT),
    ...badAreas(op.registerTime),
  ]),
  op.runstatePhys.table("as VCPUOP_register_runstate_memory_area, by physical address; ~0 for none", [
    ...physicalAreas(op.runstatePhys),
  ]),
  op.timePhys.table("as VCPUOP_register_vcpu_time_memory_area, by physical address; ~0 for none", [
    ...physicalAreas(op.timePhys),
  ]),
]);
