/* Runstate: how long each vCPU has run, waited and slept. [VCPU] public/vcpu.h */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"

/* What the running state has earned so far is not in the sum before the next change: sums are compared with this slack. */
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

/* Time accounted for, with that of the state that lasts still. */
static u64 accounted(const struct vcpu_runstate_info *info) {
  return info->time[0] + info->time[1] + info->time[2] + info->time[3] + (now_ns() - info->state_entry_time);
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
  struct vcpu_runstate_info before = read_area(pages);
  u64 sum_before = accounted(&before), start = now_ns();
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  struct sched_poll poll = { .ports = &port, .nr_ports = 1, .timeout = now_ns() + 30 * MS };
  sched_op(SCHEDOP_poll, &poll);
  event_close(port);
  struct vcpu_runstate_info after = read_area(pages);
  u64 sum_after = accounted(&after), elapsed = now_ns() - start;
  u64 counted = sum_after - sum_before;
  EXPECT(counted + SLACK > elapsed && counted < elapsed + SLACK, "%lu us are accounted for of %lu", counted / 1000,
         elapsed / 1000);
  for (u32 i = 0; i < 4; i++) EXPECT(after.time[i] >= before.time[i], "time %u goes back", i);
}

CHECK(by_hypercall, "runstate", "get_runstate_info agrees with the area") {
  struct vcpu_runstate_info info = { .state = 99 };
  long result = vcpu_op(VCPUOP_get_runstate_info, cpus[0].xen_id, &info);
  REQUIRE(result == 0, "it gives %ld%s", result, error_name(result));
  EXPECT_EQ(info.state, RUNSTATE_running);
  struct vcpu_runstate_info area = read_area(pages);
  u64 one = accounted(&info), two = accounted(&area);
  EXPECT(one < two + SLACK && two < one + SLACK, "%lu us and %lu us", one / 1000, two / 1000);
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
