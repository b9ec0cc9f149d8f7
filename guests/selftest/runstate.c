/* Runstate: how long each vCPU has run, waited and slept. [VCPU] public/vcpu.h */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/hypercall.h"

/* Between the reading of a time and of the clock. */
#define SLACK (50 * MS)

/* Two pages, one after the other, so that an area can lie across. */
static u8 pages[2 * PAGE_SIZE] PAGE_ALIGNED;

static long register_area(u32 vcpu, void *area) {
  u64 pointer = address_of(area);
  return vcpu_op(VCPUOP_register_runstate_memory_area, vcpu, &pointer);
}

/* A copy that no update has torn. The area may be unaligned. */
static struct vcpu_runstate_info read_area(const u8 *area) {
  struct vcpu_runstate_info first, second;
  for (u32 tries = 0; tries < 1000; tries++) {
    __builtin_memcpy(&first, area, sizeof first);
    __asm__ volatile("" : : : "memory");
    __builtin_memcpy(&second, area, sizeof second);
    if (first.state_entry_time == second.state_entry_time && first.time[0] == second.time[0]) break;
  }
  return first;
}

static u64 sum(const struct vcpu_runstate_info *info) {
  return info->time[0] + info->time[1] + info->time[2] + info->time[3];
}

/* Time accounted for in an area, with that of the state that lasts still. */
static u64 accounted(const struct vcpu_runstate_info *info) { return sum(info) + (now_ns() - info->state_entry_time); }

CHECK(area, "runstate", "a registered area says that the vCPU runs") {
  REQUIRE_EQ(register_area(cpus[0].xen_id, pages), 0);
  struct vcpu_runstate_info info = read_area(pages);
  EXPECT_EQ(info.state, RUNSTATE_running);
  EXPECT(info.state_entry_time != 0 && info.state_entry_time <= now_ns() + MS, "since %lu, now it is %lu",
         info.state_entry_time, now_ns());
}

CHECK(sums, "runstate", "the four times add up to the time that passes") {
  REQUIRE_EQ(register_area(cpus[0].xen_id, pages), 0);
  struct vcpu_runstate_info before = read_area(pages);
  u64 sum_before = accounted(&before), start = now_ns();
  WAIT_FOR(false, 30 * MS);
  struct vcpu_runstate_info after = read_area(pages);
  u64 sum_after = accounted(&after), elapsed = now_ns() - start;
  u64 counted = sum_after - sum_before;
  EXPECT(counted + SLACK > elapsed && counted < elapsed + SLACK, "%lu us are accounted for of %lu", counted / 1000,
         elapsed / 1000);
  for (u32 i = 0; i < 4; i++) EXPECT(after.time[i] >= before.time[i], "time %u goes back", i);
}

CHECK(by_hypercall, "runstate", "get_runstate_info says that the vCPU runs, up to now") {
  struct vcpu_runstate_info before = { .state = 99 }, after = before;
  u64 start = now_ns();
  long result = vcpu_op(VCPUOP_get_runstate_info, cpus[0].xen_id, &before);
  REQUIRE(result == 0, "it gives %ld%s", result, error_name(result));
  EXPECT_EQ(before.state, RUNSTATE_running);
  WAIT_FOR(false, 20 * MS);
  REQUIRE_EQ(vcpu_op(VCPUOP_get_runstate_info, cpus[0].xen_id, &after), 0);
  u64 counted = sum(&after) - sum(&before), elapsed = now_ns() - start;
  EXPECT(counted + SLACK > elapsed && counted < elapsed + SLACK, "%lu us are accounted for of %lu", counted / 1000,
         elapsed / 1000);
}

CHECK(anywhere, "runstate", "an area may lie anywhere, even across two pages") {
  for (u32 offset = PAGE_SIZE - 64; offset <= PAGE_SIZE; offset++) {
    __builtin_memset(pages + offset, 0xff, sizeof(struct vcpu_runstate_info));
    REQUIRE_EQ(register_area(cpus[0].xen_id, pages + offset), 0);
    struct vcpu_runstate_info info = read_area(pages + offset);
    EXPECT(info.state == RUNSTATE_running, "at offset 0x%x the state is %d", offset, info.state);
    EXPECT(info.time[3] != ~0ull, "at offset 0x%x the last time is not written", offset);
  }
}

CHECK(others, "runstate", "every vCPU has an area of its own") {
  static struct vcpu_runstate_info areas[MAX_CPUS];
  for (u32 i = 0; i < cpu_count; i++) {
    areas[i].state = 99;
    REQUIRE_EQ(register_area(cpus[i].xen_id, &areas[i]), 0);
  }
  for (u32 i = 0; i < cpu_count; i++) {
    EXPECT(WAIT_FOR(READ_ONCE(areas[i].state) <= 3, SECOND), "CPU %u's state is %d", i, areas[i].state);
  }
}

CHECK(runstate_bad, "runstate", "bad places give EFAULT, missing vCPUs ENOENT") {
  EXPECT_EQ(register_area(cpus[0].xen_id, NON_CANONICAL), -EFAULT);
  EXPECT_EQ(register_area(cpus[0].xen_id, probe(PROBE_HOLE, 0)), -EFAULT);
  EXPECT_EQ(register_area(4000, pages), -ENOENT);
  EXPECT_EQ(vcpu_op(VCPUOP_get_runstate_info, cpus[0].xen_id, NON_CANONICAL), -EFAULT);
}
