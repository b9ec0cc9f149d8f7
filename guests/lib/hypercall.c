/* Finding Xen and its hypercall page ([CPUID] in xen.h). */
#include "hypercall.h"
#include "x86.h"

#define XEN_CPUID_FIRST 0x40000000
#define XEN_CPUID_LAST 0x40010000
#define XEN_CPUID_STEP 0x100

u8 hypercall_page[PAGE_SIZE] PAGE_ALIGNED;
static bool present;

u32 xen_cpuid_base(void) {
  for (u32 base = XEN_CPUID_FIRST; base < XEN_CPUID_LAST; base += XEN_CPUID_STEP) {
    struct cpuid_result leaf = cpuid(base, 0);
    bool xen = leaf.ebx == XEN_CPUID_SIGNATURE_EBX && leaf.ecx == XEN_CPUID_SIGNATURE_ECX &&
               leaf.edx == XEN_CPUID_SIGNATURE_EDX;
    if (xen && leaf.eax >= base + 2) return base;
  }
  return 0;
}

bool xen_init(void) {
  u32 base = xen_cpuid_base();
  if (base == 0) return false;
  struct cpuid_result pages = cpuid(base + 2, 0);
  wrmsr(pages.ebx, address_of(hypercall_page)); /* the low 12 bits choose the page: the first */
  present = true;
  return true;
}

bool xen_present(void) { return present; }

void shutdown(u32 reason) {
  struct sched_shutdown request = { reason };
  if (present) sched_op(SCHEDOP_shutdown, &request);
  halt_forever();
}
