/*
 * Xen beside Hyper-V: whose leaves, MSRs and hypercalls are where. [TLFS] "Feature and Interface Discovery", "Hypercall
 * Interface"; [CPUID] public/arch-x86/cpuid.h.
 */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/x86.h"

#define HV_CPUID 0x40000000
#define HV_VENDOR_EBX 0x7263694d /* "Micr" */
#define HV_INTERFACE 0x31237648  /* "Hv#1" */
#define HV_FEATURE_TIME_REF_COUNT (1u << 1)

#define HV_MSR_GUEST_OS_ID 0x40000000
#define HV_MSR_HYPERCALL 0x40000001
#define HV_MSR_TIME_REF_COUNT 0x40000020
#define HV_HYPERCALL_ENABLE 1ull
/* Open source, vendor "Linux". */
#define GUEST_OS_ID 0x8100ull << 48
#define HV_NOTIFY_LONG_SPIN_WAIT 0x8ull
#define HV_HYPERCALL_FAST (1ull << 16)
#define HV_STATUS_SUCCESS 0

static u8 hyperv_page[PAGE_SIZE] PAGE_ALIGNED;
static u8 xen_page[PAGE_SIZE] PAGE_ALIGNED;

static bool hyperv_shows(void) {
  if (cpuid(HV_CPUID, 0).ebx == HV_VENDOR_EBX) return true;
  skip("Hyper-V does not show itself");
  return false;
}

CHECK(hyperv_leaves, "hyperv", "Hyper-V's leaves come first and end before Xen's, which are at 0x40000100") {
  if (!hyperv_shows()) return;
  struct cpuid_result first = cpuid(HV_CPUID, 0);
  EXPECT(first.eax >= HV_CPUID + 5 && first.eax < HV_CPUID + 0x100, "the last leaf is 0x%x", first.eax);
  EXPECT_EQ(cpuid(HV_CPUID + 1, 0).eax, HV_INTERFACE);
  EXPECT_EQ(xen_cpuid_base(), 0x40000100);
}

CHECK(hyperv_xen_msr, "hyperv", "Xen's hypercall page is placed by MSR 0x40000200") {
  if (!hyperv_shows()) return;
  EXPECT_EQ(cpuid(xen_cpuid_base() + 2, 0).ebx, 0x40000200);
  REQUIRE(try_wrmsr(0x40000200, address_of(xen_page)), "it cannot be written");
  long result;
  __asm__ volatile("call *%1" : "=a"(result) : "r"(xen_page + HYPERVISOR_xen_version * 32), "D"(XENVER_version), "S"(0)
                   : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
  EXPECT_EQ(result, xen_version(XENVER_version, NULL));
}

CHECK(hyperv_hypercall, "hyperv", "hypercalls of Hyper-V's and of Xen's are told apart") {
  if (!hyperv_shows()) return;
  REQUIRE(try_wrmsr(HV_MSR_GUEST_OS_ID, GUEST_OS_ID), "HV_X64_MSR_GUEST_OS_ID cannot be written");
  REQUIRE(try_wrmsr(HV_MSR_HYPERCALL, address_of(hyperv_page) | HV_HYPERCALL_ENABLE),
          "HV_X64_MSR_HYPERCALL cannot be written");
  u64 status, input = HV_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST;
  __asm__ volatile("call *%2" : "=a"(status), "+c"(input) : "r"(hyperv_page), "d"(1ull)
                   : "r8", "r9", "r10", "r11", "memory", "cc");
  EXPECT_EQ(status & 0xffff, HV_STATUS_SUCCESS);
  EXPECT(xen_version(XENVER_version, NULL) > 0, "Xen's no longer work");
  wrmsr(HV_MSR_HYPERCALL, 0);
  wrmsr(HV_MSR_GUEST_OS_ID, 0);
}

CHECK(hyperv_time, "hyperv", "the reference counter counts units of 100 ns") {
  if (!hyperv_shows()) return;
  if (!(cpuid(HV_CPUID + 3, 0).eax & HV_FEATURE_TIME_REF_COUNT)) return skip("hv-time is off");
  u64 before, after, start = now_ns();
  REQUIRE(try_rdmsr(HV_MSR_TIME_REF_COUNT, &before), "it cannot be read");
  WAIT_FOR(false, 20 * MS);
  REQUIRE(try_rdmsr(HV_MSR_TIME_REF_COUNT, &after), "it cannot be read again");
  u64 elapsed = now_ns() - start, counted = (after - before) * 100;
  EXPECT(counted + 20 * MS > elapsed && counted <= elapsed, "%lu us are counted of %lu", counted / 1000, elapsed / 1000);
}
