/* vcpu_op: [VCPU] public/vcpu.h. Timers and runstate have groups of their own. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/hypercall.h"

#define NO_SUCH_VCPU 4000

static struct vcpu_info spare_info __attribute__((aligned(64)));

CHECK(is_up, "vcpu", "is_up says that started vCPUs are up") {
  for (u32 i = 0; i < cpu_count; i++) {
    long result = vcpu_op(VCPUOP_is_up, cpus[i].xen_id, NULL);
    EXPECT(result == 1, "it gives %ld%s for vCPU %u", result, error_name(result), cpus[i].xen_id);
  }
}

CHECK(no_such_vcpu, "vcpu", "a vCPU that does not exist gives ENOENT") {
  struct vcpu_register_vcpu_info area = { .mfn = frame_of(&spare_info), .offset = address_of(&spare_info) % PAGE_SIZE };
  EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, NO_SUCH_VCPU, &area), -ENOENT);
  EXPECT_EQ(vcpu_op(VCPUOP_is_up, NO_SUCH_VCPU, NULL), -ENOENT);
  EXPECT_EQ(vcpu_op(VCPUOP_stop_periodic_timer, 0xffffffff, NULL), -ENOENT);
}

CHECK(register_again, "vcpu", "a second place for vcpu_info is refused") {
  struct vcpu_register_vcpu_info area = { .mfn = frame_of(&spare_info), .offset = address_of(&spare_info) % PAGE_SIZE };
  long result = vcpu_op(VCPUOP_register_vcpu_info, cpus[0].xen_id, &area);
  EXPECT_EQ(result, -EINVAL);
  if (result == 0) cpus[0].vcpu_info = &spare_info; /* so that the other checks can go on */
}

CHECK(register_bad, "vcpu", "bad places for vcpu_info are refused") {
  struct vcpu_register_vcpu_info area = { .mfn = frame_of(&spare_info), .offset = PAGE_SIZE - 63 };
  EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, cpus[0].xen_id, &area), -EINVAL);
  area.offset = 0xffffffc0;
  EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, cpus[0].xen_id, &area), -EINVAL);
  EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_info, cpus[0].xen_id, NON_CANONICAL), -EFAULT);
}

CHECK(unknown_vcpu_op, "vcpu", "an unknown command gives ENOSYS") {
  EXPECT_EQ(vcpu_op(99, cpus[0].xen_id, NULL), -ENOSYS);
}

static struct vcpu_time_info time_area __attribute__((aligned(64)));

CHECK(time_area, "vcpu", "a registered time area gives the same time as vcpu_info") {
  u64 pointer = address_of(&time_area);
  long result = vcpu_op(VCPUOP_register_vcpu_time_memory_area, cpus[0].xen_id, &pointer);
  REQUIRE(result == 0, "it gives %ld%s", result, error_name(result));
  REQUIRE(WAIT_FOR(READ_ONCE(time_area.tsc_to_system_mul) != 0, SECOND), "it stays empty");
  u64 before = now_ns();
  u64 there = pvclock_ns(&time_area);
  u64 after = now_ns();
  EXPECT(there + MS >= before && there <= after + MS, "it says %lu, between %lu and %lu", there, before, after);
}

CHECK(time_area_bad, "vcpu", "bad places for the time area give EFAULT") {
  u64 pointer = address_of(NON_CANONICAL);
  EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_time_memory_area, cpus[0].xen_id, &pointer), -EFAULT);
  EXPECT_EQ(vcpu_op(VCPUOP_register_vcpu_time_memory_area, cpus[0].xen_id, NON_CANONICAL), -EFAULT);
}
