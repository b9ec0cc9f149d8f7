/* Runstate: how long each vCPU has run, waited and slept. [VCPU] public/vcpu.h */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/hypercall.h"

/* What the clocks of host and guest may differ by. */
#define SLACK (5 * MS)

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

/* A reading of times, and the clock before and after it: a busy host may take long over either. */
struct reading {
  u64 before, counted, after;
};

static void expect_all_counted(const struct reading *first, const struct reading *second) {
  u64 counted = second->counted - first->counted;
  u64 least = second->before - first->after, most = second->after - first->before;
  EXPECT(counted + SLACK >= least && counted <= most + SLACK, "%lu us are accounted for of %lu to %lu", counted / 1000,
         least / 1000, most / 1000);
}

/* Time accounted for in an area, with that of the state that lasts still. */
static struct reading read_accounted(struct vcpu_runstate_info *info) {
  struct reading reading = { .before = now_ns() };
  *info = read_area(pages);
  reading.counted = sum(info) + (now_ns() - info->state_entry_time);
  reading.after = now_ns();
  return reading;
}

static struct reading read_by_hypercall(struct vcpu_runstate_info *info) {
  struct reading reading = { .before = now_ns() };
  long result = vcpu_op(VCPUOP_get_runstate_info, cpus[0].xen_id, info);
  EXPECT(result == 0, "it gives %ld%s", result, error_name(result));
  reading.counted = sum(info);
  reading.after = now_ns();
  return reading;
}

CHECK(area, "runstate", "a registered area says that the vCPU runs") {
  REQUIRE_EQ(register_area(cpus[0].xen_id, pages), 0);
  struct vcpu_runstate_info info = read_area(pages);
  EXPECT_EQ(info.state, RUNSTATE_running);
  EXPECT(info.state_entry_time != 0 && info.state_entry_time <= now_ns() + MS, "since %lu, now it is %lu",
         info.state_entry_time, now_ns());
}

CHECK(sums, "runstate", "the four times add up to the time that passes") {
  REQUIRE_EQ(register_area(cpus[0].xen_id, pages), 0);
  struct vcpu_runstate_info before, after;
  struct reading first = read_accounted(&before);
  WAIT_FOR(false, 30 * MS);
  struct reading second = read_accounted(&after);
  expect_all_counted(&first, &second);
  for (u32 i = 0; i < 4; i++) EXPECT(after.time[i] >= before.time[i], "time %u goes back", i);
}

CHECK(by_hypercall, "runstate", "get_runstate_info says that the vCPU runs, up to now") {
  struct vcpu_runstate_info info = { .state = 99 };
  struct reading first = read_by_hypercall(&info);
  EXPECT_EQ(info.state, RUNSTATE_running);
  WAIT_FOR(false, 20 * MS);
  struct reading second = read_by_hypercall(&info);
  expect_all_counted(&first, &second);
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
