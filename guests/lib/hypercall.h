/*
 * Hypercalls, always through the hypercall page: entry `number` is 32 bytes in. 64-bit code has its arguments in rdi rsi rdx
 * r10 r8, 32-bit code in ebx ecx edx esi edi; the result is in rax (xen.git public/arch-x86/xen-x86_64.h, xen-x86_32.h).
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include "boot.h"
#include "xen.h"

extern u8 hypercall_page[PAGE_SIZE];

/* Finds Xen's CPUID leaves; 0 when this is not Xen. */
u32 xen_cpuid_base(void);
/* Has the hypervisor fill the hypercall page. False when this is not Xen. */
bool xen_init(void);
/* True once xen_init has succeeded. */
bool xen_present(void);

#ifdef __x86_64__
static inline long hypercall5(u32 number, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5) {
  long result;
  register u64 r10 __asm__("r10") = a4;
  register u64 r8 __asm__("r8") = a5;
  __asm__ volatile("call *%[entry]"
                   : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                   : [entry] "r"(hypercall_page + number * 32)
                   : "rcx", "r9", "r11", "memory", "cc");
  return result;
}
#else
static inline long hypercall5(u32 number, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5) {
  long result = (long)(hypercall_page + number * 32);
  u32 ebx = (u32)a1, ecx = (u32)a2, edx = (u32)a3, esi = (u32)a4, edi = (u32)a5;
  __asm__ volatile("call *%%eax"
                   : "+a"(result), "+b"(ebx), "+c"(ecx), "+d"(edx), "+S"(esi), "+D"(edi)
                   :
                   : "memory", "cc");
  return result;
}
#endif

static inline long hypercall1(u32 number, u64 a1) { return hypercall5(number, a1, 0, 0, 0, 0); }
static inline long hypercall2(u32 number, u64 a1, u64 a2) { return hypercall5(number, a1, a2, 0, 0, 0); }
static inline long hypercall3(u32 number, u64 a1, u64 a2, u64 a3) { return hypercall5(number, a1, a2, a3, 0, 0); }

static inline long xen_version(u32 command, void *argument) {
  return hypercall2(HYPERVISOR_xen_version, command, address_of(argument));
}
static inline long memory_op(u32 command, const volatile void *argument) {
  return hypercall2(HYPERVISOR_memory_op, command, address_of(argument));
}
static inline long hvm_op(u32 command, void *argument) {
  return hypercall2(HYPERVISOR_hvm_op, command, address_of(argument));
}
static inline long vcpu_op(u32 command, u32 vcpu, const volatile void *argument) {
  return hypercall3(HYPERVISOR_vcpu_op, command, vcpu, address_of(argument));
}
static inline long sched_op(u32 command, const volatile void *argument) {
  return hypercall2(HYPERVISOR_sched_op, command, address_of(argument));
}
static inline long evtchn_op(u32 command, void *argument) {
  return hypercall2(HYPERVISOR_event_channel_op, command, address_of(argument));
}
static inline long physdev_op(u32 command, void *argument) {
  return hypercall2(HYPERVISOR_physdev_op, command, address_of(argument));
}
static inline long grant_table_op(u32 command, void *argument, u32 count) {
  return hypercall3(HYPERVISOR_grant_table_op, command, address_of(argument), count);
}
static inline long console_io(u32 command, u32 count, const void *buffer) {
  return hypercall3(HYPERVISOR_console_io, command, count, address_of(buffer));
}
static inline long set_timer_op(u64 timeout) { return hypercall1(HYPERVISOR_set_timer_op, timeout); }

static inline long evtchn_send(evtchn_port_t port) { return evtchn_op(EVTCHNOP_send, &port); }
static inline long evtchn_close(evtchn_port_t port) { return evtchn_op(EVTCHNOP_close, &port); }
static inline long evtchn_unmask(evtchn_port_t port) { return evtchn_op(EVTCHNOP_unmask, &port); }

static inline long hvm_get_param(u32 index, u64 *value) {
  struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };
  long result = hvm_op(HVMOP_get_param, &param);
  *value = param.value;
  return result;
}
static inline long hvm_set_param(u32 index, u64 value) {
  struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index, .value = value };
  return hvm_op(HVMOP_set_param, &param);
}
static inline long add_to_physmap(u32 space, u64 idx, u64 gpfn) {
  struct xen_add_to_physmap map = { .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gpfn };
  return memory_op(XENMEM_add_to_physmap, &map);
}

/* Ends the machine by SCHEDOP_shutdown, or halts where there is no Xen. */
NORETURN void shutdown(u32 reason);

#endif
