/** Numbers of the hypercall interface that every family shares. [XEN] xen.git xen/include/public/xen.h */
import type { DomId } from "../../shared/brand.js";

/** Hypercall numbers, `__HYPERVISOR_*`. */
export const HypercallNumber = {
  set_trap_table: 0,
  mmu_update: 1,
  set_gdt: 2,
  stack_switch: 3,
  set_callbacks: 4,
  fpu_taskswitch: 5,
  sched_op_compat: 6,
  platform_op: 7,
  set_debugreg: 8,
  get_debugreg: 9,
  update_descriptor: 10,
  memory_op: 12,
  multicall: 13,
  update_va_mapping: 14,
  set_timer_op: 15,
  event_channel_op_compat: 16,
  xen_version: 17,
  console_io: 18,
  physdev_op_compat: 19,
  grant_table_op: 20,
  vm_assist: 21,
  update_va_mapping_otherdomain: 22,
  iret: 23,
  vcpu_op: 24,
  set_segment_base: 25,
  mmuext_op: 26,
  xsm_op: 27,
  nmi_op: 28,
  sched_op: 29,
  callback_op: 30,
  xenoprof_op: 31,
  event_channel_op: 32,
  physdev_op: 33,
  hvm_op: 34,
  sysctl: 35,
  domctl: 36,
  kexec_op: 37,
  tmem_op: 38,
  argo_op: 39,
  xenpmu_op: 40,
  dm_op: 41,
  hypfs_op: 42,
} as const;

/** The domain that runs our back ends. */
export const DOMID_BACKEND = 0 as DomId;
/** "The caller's own domain". */
export const DOMID_SELF = 0x7ff0 as DomId;
/** "No domain". */
export const DOMID_INVALID = 0x7ff4 as DomId;

/** `XEN_DOMCTL_*`: one that is about a domain to be, and those that may be about none (test_assign_device, vm_event_op). */
export const Domctl = { createdomain: 1, aboutNone: [45, 56] as readonly number[] } as const;

/** Virtual interrupts, `VIRQ_*`. */
export const Virq = { timer: 0, debug: 1, console: 2, xenoprof: 7, xenpmu: 13 } as const;
export const NR_VIRQS = 24;

/** True for virtual interrupts that a domain binds once, not once per vCPU. */
export function virqIsGlobal(virq: number): boolean {
  return virq !== Virq.timer && virq !== Virq.debug && virq !== Virq.xenoprof && virq !== Virq.xenpmu;
}

/** vCPUs whose vcpu_info lies in shared_info until they register another place. [XEN] arch-x86/xen.h */
export const XEN_LEGACY_MAX_VCPUS = 32;

/** `CONSOLEIO_*`. */
export const ConsoleIo = { write: 0, read: 1 } as const;

/** `VMASST_CMD_*`, and the one type that an HVM guest may use. */
export const VmAssist = { enable: 0, disable: 1, typeRunstateUpdateFlag: 5 } as const;
