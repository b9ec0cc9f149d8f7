/*
 * The part of the Xen ABI that our guests speak. Names are the public headers'; sizes are asserted, those of x86-64 and those
 * of i386.
 *
 * [XEN]   xen.git xen/include/public/xen.h      [EVTCHN] public/event_channel.h  [VCPU]  public/vcpu.h
 * [MEM]   public/memory.h                       [HVM]    public/hvm/{hvm_op,params}.h  [SCHED] public/sched.h
 * [GNT]   public/grant_table.h                  [PHYS]   public/physdev.h        [CPUID] public/arch-x86/cpuid.h
 */
#ifndef GUEST_XEN_H
#define GUEST_XEN_H

#include "types.h"

/* [XEN] unsigned long, and frame numbers: as wide as the guest's own words. */
typedef unsigned long xen_ulong;
typedef unsigned long xen_pfn;
#ifdef __x86_64__
#define ASSERT_SIZE(type, size64, size32) _Static_assert(sizeof(type) == (size64), #type)
#else
#define ASSERT_SIZE(type, size64, size32) _Static_assert(sizeof(type) == (size32), #type)
#endif

/* [XEN] hypercall numbers. */
#define HYPERVISOR_memory_op 12
#define HYPERVISOR_multicall 13
#define HYPERVISOR_set_timer_op 15
#define HYPERVISOR_xen_version 17
#define HYPERVISOR_console_io 18
#define HYPERVISOR_grant_table_op 20
#define HYPERVISOR_vm_assist 21
#define HYPERVISOR_vcpu_op 24
#define HYPERVISOR_sched_op 29
#define HYPERVISOR_event_channel_op 32
#define HYPERVISOR_physdev_op 33
#define HYPERVISOR_hvm_op 34
#define HYPERVISOR_sysctl 35
#define HYPERVISOR_domctl 36

/* public/errno.h; hypercalls return them negated. */
enum {
  EPERM = 1, ENOENT = 2, ESRCH = 3, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EFAULT = 14, EBUSY = 16, EEXIST = 17,
  EINVAL = 22, ENOSPC = 28, ENOSYS = 38, ENODATA = 61, ETIME = 62, EOPNOTSUPP = 95,
};

#define DOMID_SELF 0x7ff0
typedef u16 domid_t;
typedef u32 evtchn_port_t;
typedef u32 grant_ref_t;

/* [CPUID] */
#define XEN_CPUID_SIGNATURE_EBX 0x566e6558 /* "XenV" */
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4d /* "MMXe" */
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566e /* "nVMM" */
#define XEN_HVM_CPUID_VCPU_ID_PRESENT (1u << 3)
#define XEN_HVM_CPUID_DOMID_PRESENT (1u << 4)
#define XEN_HVM_CPUID_UPCALL_VECTOR (1u << 6)

/* [XEN] */
#define CONSOLEIO_write 0
#define CONSOLEIO_read 1
#define VMASST_CMD_enable 0
#define VMASST_CMD_disable 1
#define VMASST_TYPE_runstate_update_flag 5
#define VIRQ_TIMER 0
#define VIRQ_DEBUG 1
#define VIRQ_CONSOLE 2
#define VIRQ_DOM_EXC 3
#define NR_VIRQS 24

/* public/version.h */
#define XENVER_version 0
#define XENVER_extraversion 1
#define XENVER_compile_info 2
#define XENVER_capabilities 3
#define XENVER_changeset 4
#define XENVER_platform_parameters 5
#define XENVER_get_features 6
#define XENVER_pagesize 7
#define XENVER_guest_handle 8
#define XENVER_commandline 9
#define XENVER_build_id 10

struct xen_compile_info {
  char compiler[64], compile_by[16], compile_domain[32], compile_date[32];
};
struct xen_feature_info {
  u32 submap_idx, submap;
};
/* public/features.h */
#define XENFEAT_auto_translated_physmap 2
#define XENFEAT_hvm_callback_vector 8
#define XENFEAT_hvm_safe_pvclock 9
#define XENFEAT_hvm_pirqs 10

/* [XEN] */
#define PVCLOCK_TSC_STABLE 1u

struct vcpu_time_info {
  u32 version, pad0;
  u64 tsc_timestamp, system_time;
  u32 tsc_to_system_mul;
  signed char tsc_shift;
  u8 flags, pad1[2];
};
ASSERT_SIZE(struct vcpu_time_info, 32, 32);

struct vcpu_info {
  u8 evtchn_upcall_pending, pad0;
  xen_ulong evtchn_pending_sel;
#ifdef __x86_64__
  u64 cr2, pad1;
#else
  u32 cr2, pad1[5];
#endif
  struct vcpu_time_info time;
};
ASSERT_SIZE(struct vcpu_info, 64, 64);

#define LEGACY_MAX_VCPUS 32
#define EVTCHN_WORDS (8 * sizeof(xen_ulong))
#define EVTCHN_2L_NR_CHANNELS (64 * sizeof(xen_ulong) * sizeof(xen_ulong))

struct shared_info {
  struct vcpu_info vcpu_info[LEGACY_MAX_VCPUS];
  xen_ulong evtchn_pending[EVTCHN_WORDS];
  xen_ulong evtchn_mask[EVTCHN_WORDS];
  u32 wc_version, wc_sec, wc_nsec;
#ifdef __x86_64__
  u32 wc_sec_hi;
#else
  /* [XEN] struct arch_shared_info: what is there for paravirtual guests. */
  u32 arch[6], wc_sec_hi;
#endif
};
#ifdef __x86_64__
_Static_assert(offsetof(struct shared_info, wc_version) == 0xc00, "shared_info");
#else
_Static_assert(offsetof(struct shared_info, wc_version) == 0x900, "shared_info");
_Static_assert(offsetof(struct shared_info, wc_sec_hi) == 0x924, "shared_info");
#endif

/* [HVM] */
#define HVMOP_set_param 0
#define HVMOP_get_param 1
#define HVMOP_flush_tlbs 5
#define HVMOP_pagetable_dying 9
#define HVMOP_get_time 10
#define HVMOP_get_mem_type 15
#define HVMOP_set_evtchn_upcall_vector 23
#define HVM_PARAM_CALLBACK_IRQ 0
#define HVM_PARAM_STORE_PFN 1
#define HVM_PARAM_STORE_EVTCHN 2
#define HVM_PARAM_CONSOLE_PFN 17
#define HVM_PARAM_CONSOLE_EVTCHN 18
#define HVM_NR_PARAMS 39
/* Callback types: the top byte of HVM_PARAM_CALLBACK_IRQ. */
#define CALLBACK_VIA_GSI(gsi) ((u64)(gsi))
#define CALLBACK_VIA_PCI(devfn, pin) (1ull << 56 | (u64)(devfn) << 8 | (pin))
#define CALLBACK_VIA_VECTOR(vector) (2ull << 56 | (vector))

struct xen_hvm_param {
  domid_t domid;
  u16 pad;
  u32 index;
  u64 value;
};
struct xen_hvm_evtchn_upcall_vector {
  u32 vcpu;
  u8 vector;
};

struct xen_hvm_get_mem_type {
  domid_t domid;
  u16 mem_type, pad[2];
  u64 pfn;
};
ASSERT_SIZE(struct xen_hvm_get_mem_type, 16, 16);
#define HVMMEM_ram_rw 0
#define HVMMEM_mmio_dm 2

/* [MEM] */
#define XENMEM_increase_reservation 0
#define XENMEM_decrease_reservation 1
#define XENMEM_maximum_ram_page 2
#define XENMEM_current_reservation 3
#define XENMEM_maximum_reservation 4
#define XENMEM_populate_physmap 6
#define XENMEM_add_to_physmap 7
#define XENMEM_memory_map 9
#define XENMEM_maximum_gpfn 14
#define XENMEM_remove_from_physmap 15
#define XENMEM_add_to_physmap_batch 23
#define XENMAPSPACE_shared_info 0
#define XENMAPSPACE_grant_table 1
#define XENMAPSPACE_gmfn 2
#define XENMAPSPACE_gmfn_range 3
#define XENMAPSPACE_gmfn_foreign 4
#define XENMAPSPACE_dev_mmio 5

struct xen_add_to_physmap {
  domid_t domid;
  u16 size;
  u32 space;
  xen_ulong idx;
  xen_pfn gpfn;
};
ASSERT_SIZE(struct xen_add_to_physmap, 24, 16);
struct xen_add_to_physmap_batch {
  domid_t domid;
  u16 space, size;
  domid_t foreign_domid;
  xen_ulong *idxs;
  xen_pfn *gpfns;
  int *errs;
};
ASSERT_SIZE(struct xen_add_to_physmap_batch, 32, 20);
struct xen_remove_from_physmap {
  domid_t domid;
  xen_pfn gpfn;
};
ASSERT_SIZE(struct xen_remove_from_physmap, 16, 8);
struct xen_memory_reservation {
  xen_pfn *extent_start;
  xen_ulong nr_extents;
  u32 extent_order, mem_flags;
  domid_t domid;
};
ASSERT_SIZE(struct xen_memory_reservation, 32, 20);
struct xen_memory_map {
  u32 nr_entries;
  void *buffer;
};
struct e820_entry {
  u64 base, length;
  u32 type;
} __attribute__((packed));

/* [VCPU] */
#define VCPUOP_initialise 0
#define VCPUOP_up 1
#define VCPUOP_down 2
#define VCPUOP_is_up 3
#define VCPUOP_get_runstate_info 4
#define VCPUOP_register_runstate_memory_area 5
#define VCPUOP_set_periodic_timer 6
#define VCPUOP_stop_periodic_timer 7
#define VCPUOP_set_singleshot_timer 8
#define VCPUOP_stop_singleshot_timer 9
#define VCPUOP_register_vcpu_info 10
#define VCPUOP_send_nmi 11
#define VCPUOP_get_physid 12
#define VCPUOP_register_vcpu_time_memory_area 13
#define VCPUOP_register_runstate_phys_area 14
#define VCPUOP_register_vcpu_time_phys_area 15
#define RUNSTATE_running 0
#define RUNSTATE_offline 3
#define RUNSTATE_UPDATE (1ull << 63)
#define VCPU_SSHOTTMR_future 1

struct vcpu_runstate_info {
  int state;
  u64 state_entry_time;
  u64 time[4];
};
ASSERT_SIZE(struct vcpu_runstate_info, 48, 44);
struct vcpu_set_singleshot_timer {
  u64 timeout_abs_ns;
  u32 flags;
};
struct vcpu_register_vcpu_info {
  u64 mfn;
  u32 offset, rsvd;
};

/* [HVMVCPU] public/hvm/hvm_vcpu.h */
#define VCPU_HVM_MODE_32B 0
#define VCPU_HVM_MODE_64B 1
struct vcpu_hvm_x86_32 {
  u32 eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags;
  u32 cr0, cr3, cr4, pad1;
  u64 efer;
  u32 cs_base, ds_base, ss_base, es_base, tr_base;
  u32 cs_limit, ds_limit, ss_limit, es_limit, tr_limit;
  u16 cs_ar, ds_ar, ss_ar, es_ar, tr_ar, pad2[3];
};
_Static_assert(sizeof(struct vcpu_hvm_x86_32) == 120, "vcpu_hvm_x86_32");
struct vcpu_hvm_x86_64 {
  u64 rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags;
  u64 cr0, cr3, cr4, efer;
};
struct vcpu_hvm_context {
  u32 mode, pad;
  union {
    struct vcpu_hvm_x86_32 x86_32;
    struct vcpu_hvm_x86_64 x86_64;
  } cpu_regs;
};
_Static_assert(sizeof(struct vcpu_hvm_context) == 128, "vcpu_hvm_context");

/* [SCHED] */
#define SCHEDOP_yield 0
#define SCHEDOP_block 1
#define SCHEDOP_shutdown 2
#define SCHEDOP_poll 3
#define SCHEDOP_remote_shutdown 4
#define SCHEDOP_watchdog 6
#define SHUTDOWN_poweroff 0
#define SHUTDOWN_reboot 1
#define SHUTDOWN_suspend 2
#define SHUTDOWN_crash 3
#define SHUTDOWN_soft_reset 5
struct sched_shutdown {
  u32 reason;
};
struct sched_remote_shutdown {
  domid_t domain_id;
  u32 reason;
};
struct sched_watchdog {
  u32 id, timeout;
};
struct sched_poll {
  const evtchn_port_t *ports;
  u32 nr_ports;
  u64 timeout;
};
ASSERT_SIZE(struct sched_poll, 24, 16);

/* [EVTCHN] */
#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq 1
#define EVTCHNOP_bind_pirq 2
#define EVTCHNOP_close 3
#define EVTCHNOP_send 4
#define EVTCHNOP_status 5
#define EVTCHNOP_alloc_unbound 6
#define EVTCHNOP_bind_ipi 7
#define EVTCHNOP_bind_vcpu 8
#define EVTCHNOP_unmask 9
#define EVTCHNOP_reset 10
#define EVTCHNOP_init_control 11
#define EVTCHNOP_expand_array 12
#define EVTCHNOP_set_priority 13
enum {
  EVTCHNSTAT_closed, EVTCHNSTAT_unbound, EVTCHNSTAT_interdomain, EVTCHNSTAT_pirq, EVTCHNSTAT_virq, EVTCHNSTAT_ipi,
};
struct evtchn_alloc_unbound {
  domid_t dom, remote_dom;
  evtchn_port_t port;
};
struct evtchn_bind_interdomain {
  domid_t remote_dom;
  evtchn_port_t remote_port, local_port;
};
struct evtchn_bind_virq {
  u32 virq, vcpu;
  evtchn_port_t port;
};
struct evtchn_bind_pirq {
  u32 pirq, flags;
  evtchn_port_t port;
};
struct evtchn_bind_ipi {
  u32 vcpu;
  evtchn_port_t port;
};
struct evtchn_status {
  domid_t dom;
  evtchn_port_t port;
  u32 status, vcpu;
  union {
    struct { domid_t dom; } unbound;
    struct { domid_t dom; evtchn_port_t port; } interdomain;
    u32 pirq, virq;
  } u;
};
ASSERT_SIZE(struct evtchn_status, 24, 24);
struct evtchn_bind_vcpu {
  evtchn_port_t port;
  u32 vcpu;
};
struct evtchn_init_control {
  u64 control_gfn;
  u32 offset, vcpu;
  u8 link_bits, pad[7];
};
struct evtchn_expand_array {
  u64 array_gfn;
};
struct evtchn_set_priority {
  evtchn_port_t port;
  u32 priority;
};

/* [GNT] */
#define GNTTABOP_map_grant_ref 0
#define GNTTABOP_setup_table 2
#define GNTTABOP_copy 5
#define GNTTABOP_query_size 6
#define GNTTABOP_set_version 8
#define GNTTABOP_get_version 10
#define GNTST_okay 0
#define GNTCOPY_source_gref 1
#define GNTST_bad_domain (-2)
#define GTF_permit_access 1
#define GTF_readonly 4
#define GTF_reading 8
#define GTF_writing 16
#define GNTTAB_RESERVED_CONSOLE 0
#define GNTTAB_RESERVED_XENSTORE 1
#define GNTTAB_NR_RESERVED_ENTRIES 8
struct grant_entry_v1 {
  u16 flags;
  domid_t domid;
  u32 frame;
};
struct grant_entry_v2 {
  u16 flags;
  domid_t domid;
  u16 page_off, length;
  u64 frame;
};
#define XENMAPIDX_grant_table_status 0x80000000u
struct gnttab_copy_end {
  xen_pfn page;
  domid_t domid;
  u16 offset;
};
struct gnttab_copy {
  struct gnttab_copy_end source, dest;
  u16 len, flags;
  s16 status;
};
ASSERT_SIZE(struct gnttab_copy, 40, 24);
#define GRANTS_PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
struct gnttab_setup_table {
  domid_t dom;
  u32 nr_frames;
  s16 status;
  xen_pfn *frame_list;
};
ASSERT_SIZE(struct gnttab_setup_table, 24, 16);
struct gnttab_query_size {
  domid_t dom;
  u32 nr_frames, max_nr_frames;
  s16 status;
};

/* [PHYS] */
#define PHYSDEVOP_irq_status_query 5
#define PHYSDEVOP_eoi 12
#define PHYSDEVOP_map_pirq 13
#define PHYSDEVOP_unmap_pirq 14
#define PHYSDEVOP_get_free_pirq 23
#define MAP_PIRQ_TYPE_MSI 0
#define MAP_PIRQ_TYPE_GSI 1
#define XENIRQSTAT_needs_eoi 1
struct physdev_map_pirq {
  domid_t domid;
  int type, index, pirq, bus, devfn, entry_nr;
  u64 table_base;
};
ASSERT_SIZE(struct physdev_map_pirq, 40, 36);
struct physdev_unmap_pirq {
  domid_t domid;
  int pirq;
};
struct physdev_irq_status_query {
  u32 irq, flags;
};
struct physdev_get_free_pirq {
  int type;
  u32 pirq;
};

/* public/io/console.h */
struct xencons_interface {
  char in[1024], out[2048];
  u32 in_cons, in_prod, out_cons, out_prod;
};
_Static_assert(offsetof(struct xencons_interface, in_cons) == 3072, "xencons_interface");

#endif
