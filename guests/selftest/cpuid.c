/* Who the hypervisor says it is: [CPUID] public/arch-x86/cpuid.h. */
#include "check.h"

#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define CPUID1_ECX_HYPERVISOR (1u << 31)
#define HYPERCALL_MSR (cpuid(xen_cpuid_base() + 2, 0).ebx)
/* No MSR of Xen's. */
/* Above those of Xen and of Hyper-V, of which KVM may have some. */
#define UNKNOWN_MSR 0x40000180
#define UNKNOWN_MSR_END 0x40000200

CHECK(signature, "cpuid", "the leaves carry Xen's signature and there are at least five") {
  u32 base = xen_cpuid_base();
  struct cpuid_result leaf = cpuid(base, 0);
  EXPECT(cpuid(1, 0).ecx & CPUID1_ECX_HYPERVISOR, "the hypervisor bit of leaf 1 is clear");
  EXPECT(leaf.eax >= base + 4, "the last leaf is 0x%x", leaf.eax);
}

CHECK(only_xen, "cpuid", "no other hypervisor shows itself") {
  for (u32 base = 0x40000000; base < 0x40000800; base += 0x100) {
    struct cpuid_result leaf = cpuid(base, 0);
    EXPECT(leaf.ebx != 0x4b4d564b, "KVM's leaves are at 0x%x", base);
  }
}

CHECK(leaf_version, "cpuid", "the version leaf agrees with XENVER_version") {
  EXPECT_EQ(cpuid(xen_cpuid_base() + 1, 0).eax, xen_version(XENVER_version, NULL));
}

CHECK(hypercall_leaf, "cpuid", "there is one hypercall page, set by an MSR of the hypervisor's range") {
  struct cpuid_result leaf = cpuid(xen_cpuid_base() + 2, 0);
  EXPECT_EQ(leaf.eax, 1);
  EXPECT(leaf.ebx >= 0x40000000 && leaf.ebx < 0x50000000, "the MSR is 0x%x", leaf.ebx);
}

CHECK(time_leaf, "cpuid", "the time leaves agree with vcpu_time_info") {
  const struct vcpu_time_info *time = &cpus[0].vcpu_info->time;
  struct cpuid_result leaf = cpuid(xen_cpuid_base() + 3, 1);
  if (leaf.ecx == 0) return skip("subleaf 1 of the time leaf is empty");
  EXPECT_EQ(leaf.ecx, time->tsc_to_system_mul);
  EXPECT_EQ((signed char)leaf.edx, time->tsc_shift);
}

CHECK(vcpu_ids, "cpuid", "each vCPU finds its own number") {
  struct cpuid_result leaf = cpuid(xen_cpuid_base() + 4, 0);
  EXPECT(leaf.eax & XEN_HVM_CPUID_VCPU_ID_PRESENT, "leaf 4 has no vCPU number (0x%x)", leaf.eax);
  for (u32 i = 0; i < cpu_count; i++) {
    EXPECT(cpus[i].xen_id == machine.machine.processor_ids[i], "CPU %u is vCPU %u, ACPI says %u", i, cpus[i].xen_id,
           machine.machine.processor_ids[i]);
  }
}

static u8 second_page[PAGE_SIZE] PAGE_ALIGNED;

CHECK(hypercall_page_again, "cpuid", "a second hypercall page works as well as the first") {
  REQUIRE(try_wrmsr(HYPERCALL_MSR, address_of(second_page)), "the MSR cannot be written again");
  long result;
  __asm__ volatile("call *%1" : "=a"(result) : "r"(second_page + HYPERVISOR_xen_version * 32), "D"(XENVER_version), "S"(0)
                   : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
  EXPECT_EQ(result, xen_version(XENVER_version, NULL));
}

CHECK(hypercall_page_bad, "cpuid", "the hypercall MSR refuses other pages and places outside RAM (H22)") {
  EXPECT(!try_wrmsr(HYPERCALL_MSR, address_of(second_page) | 1), "page 1 was accepted");
  EXPECT(!try_wrmsr(HYPERCALL_MSR, 0xfffff00000ull), "an address past RAM was accepted");
  EXPECT(xen_version(XENVER_version, NULL) > 0, "the page of before no longer works");
}

CHECK(hypercall_msr_reads, "cpuid", "the hypercall MSR reads as zero, whatever was written") {
  u64 value = 1;
  REQUIRE(try_rdmsr(HYPERCALL_MSR, &value), "a read faults");
  EXPECT_EQ(value, 0);
}

CHECK(unknown_msr, "cpuid", "the unknown MSRs of the hypervisor's range fault (H24)") {
  u64 value;
  for (u32 msr = UNKNOWN_MSR; msr < UNKNOWN_MSR_END; msr++) {
    EXPECT(!try_rdmsr(msr, &value), "a read of 0x%x gave 0x%lx", msr, value);
    EXPECT(!try_wrmsr(msr, 0), "a write of 0x%x was accepted", msr);
  }
}
