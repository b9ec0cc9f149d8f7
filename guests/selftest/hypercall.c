/* The hypercall interface as such: numbers, privileges, batches, other families' odds and ends. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/hypercall.h"
#include "../lib/string.h"

struct multicall_entry {
  u64 op;
  s64 result;
  u64 arguments[6];
};
_Static_assert(sizeof(struct multicall_entry) == 64, "multicall_entry");

CHECK(unknown, "hypercall", "unknown numbers give ENOSYS") {
  static const u8 numbers[] = { 11, 39, 43, 55, 60, 127 };
  for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
    long result = hypercall1(numbers[i], 0);
    EXPECT(result == -ENOSYS, "number %u gives %ld%s", numbers[i], result, error_name(result));
  }
}

CHECK(privileged, "hypercall", "a toolstack's hypercalls are refused") {
  static u8 request[256];
  long sysctl = hypercall1(HYPERVISOR_sysctl, address_of(request));
  long domctl = hypercall1(HYPERVISOR_domctl, address_of(request));
  EXPECT(sysctl == -EPERM || sysctl == -EACCES || sysctl == -ENOSYS, "sysctl gives %ld%s", sysctl, error_name(sysctl));
  EXPECT(domctl == -EPERM || domctl == -EACCES || domctl == -ENOSYS, "domctl gives %ld%s", domctl, error_name(domctl));
}

static void ask_version(void *result) { *(long *)result = xen_version(XENVER_version, NULL); }

CHECK(every_vcpu, "hypercall", "every vCPU can make hypercalls") {
  long expected = xen_version(XENVER_version, NULL);
  for (u32 i = 1; i < cpu_count; i++) {
    long result = 0;
    cpu_run(&cpus[i], ask_version, &result);
    REQUIRE(cpu_wait(&cpus[i], 10 * SECOND), "CPU %u does not answer", i);
    EXPECT(result == expected, "CPU %u gets 0x%lx, not 0x%lx", i, result, expected);
  }
}

CHECK(multicall, "hypercall", "multicall runs its entries and keeps each result") {
  static struct multicall_entry entries[3];
  static char text[16];
  memset(text, 0xaa, sizeof text);
  entries[0] = (struct multicall_entry){ .op = HYPERVISOR_xen_version, .arguments = { XENVER_pagesize } };
  entries[1] = (struct multicall_entry){ .op = 55 };
  entries[2] =
      (struct multicall_entry){ .op = HYPERVISOR_xen_version, .arguments = { XENVER_extraversion, address_of(text) } };
  REQUIRE_EQ(hypercall2(HYPERVISOR_multicall, address_of(entries), 3), 0);
  EXPECT_EQ(entries[0].result, PAGE_SIZE);
  EXPECT_EQ(entries[1].result, -ENOSYS);
  EXPECT_EQ(entries[2].result, 0);
  EXPECT_EQ(text[15], 0);
}

CHECK(multicall_long, "hypercall", "multicall runs a list that takes several exits") {
  static struct multicall_entry entries[5000];
  for (u32 i = 0; i < ARRAY_SIZE(entries); i++) {
    entries[i] = (struct multicall_entry){ .op = HYPERVISOR_xen_version, .arguments = { XENVER_pagesize } };
  }
  REQUIRE_EQ(hypercall2(HYPERVISOR_multicall, address_of(entries), ARRAY_SIZE(entries)), 0);
  u32 right = 0;
  for (u32 i = 0; i < ARRAY_SIZE(entries); i++) right += entries[i].result == PAGE_SIZE;
  EXPECT_EQ(right, ARRAY_SIZE(entries));
}

CHECK(multicall_bad, "hypercall", "multicall refuses bad entries and does not nest") {
  static struct multicall_entry entry;
  EXPECT_EQ(hypercall2(HYPERVISOR_multicall, address_of(NON_CANONICAL), 1), -EFAULT);
  EXPECT_EQ(hypercall2(HYPERVISOR_multicall, address_of(probe(PROBE_HOLE, 0)), 1), -EFAULT);
  entry = (struct multicall_entry){ .op = HYPERVISOR_multicall, .arguments = { address_of(&entry), 1 } };
  long result = hypercall2(HYPERVISOR_multicall, address_of(&entry), 1);
  EXPECT(result < 0 || entry.result < 0, "a multicall inside a multicall gives %ld and %ld", result, entry.result);
}

CHECK(vm_assist, "hypercall", "vm_assist switches the runstate update flag and nothing unknown") {
  EXPECT_EQ(hypercall2(HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
  EXPECT_EQ(hypercall2(HYPERVISOR_vm_assist, VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag), 0);
  EXPECT(hypercall2(HYPERVISOR_vm_assist, VMASST_CMD_enable, 31) < 0, "type 31 was accepted");
  EXPECT(hypercall2(HYPERVISOR_vm_assist, 17, VMASST_TYPE_runstate_update_flag) < 0, "command 17 was accepted");
}
