/* VIRQ_TIMER: singleshot and periodic timers, on every vCPU. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"

#define PATIENCE (20 * SECOND)
#define DELAY (5 * MS)
/* Longer than any delay here, for timers that must not fire. */
#define QUIET (30 * MS)
/* A timer may be early by what clocks of host and guest differ. */
#define EARLY (MS / 2)
/* Later than this is not a timer, even on a slow, busy host. */
#define LATE (3 * SECOND)

static evtchn_port_t ports[MAX_CPUS];
/* When the last timer event came. */
static volatile u64 fired_at[MAX_CPUS];

static void note_time(evtchn_port_t port UNUSED, void *argument UNUSED) { fired_at[this_cpu()->index] = now_ns(); }

static bool bind_timers(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (ports[i] != 0) continue;
    long result;
    ports[i] = bind_virq(VIRQ_TIMER, cpus[i].xen_id, &result);
    if (ports[i] == 0) {
      fail("VIRQ_TIMER on vCPU %u: %ld%s", cpus[i].xen_id, result, error_name(result));
      return false;
    }
    event_listen(ports[i], note_time, NULL);
  }
  return true;
}

static u32 fired(u32 cpu) { return event_ports[ports[cpu]].count; }

/* What one CPU does: sets its own timer, waits for it and says how late it came, or -1. */
struct shot {
  u32 delay;
  s64 late;
  long result;
};

static long set_singleshot(u32 vcpu, u64 deadline, u32 flags) {
  struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = deadline, .flags = flags };
  return vcpu_op(VCPUOP_set_singleshot_timer, vcpu, &timer);
}

static void shoot(void *argument) {
  struct shot *shot = argument;
  struct cpu *cpu = this_cpu();
  u32 before = fired(cpu->index);
  u64 deadline = now_ns() + shot->delay;
  shot->result = set_singleshot(cpu->xen_id, deadline, 0);
  bool came = WAIT_FOR(fired(cpu->index) != before, PATIENCE);
  shot->late = came ? (s64)(fired_at[cpu->index] - deadline) : (s64)PATIENCE;
}

CHECK(singleshot, "timer", "a singleshot timer fires on its own vCPU, not early and not late") {
  if (!bind_timers()) return;
  u64 worst = 0;
  for (u32 i = 0; i < cpu_count; i++) {
    for (u32 round = 0; round < 3; round++) {
      struct shot shot = { .delay = (round + 1) * DELAY };
      if (i == 0) shoot(&shot);
      else cpu_run(&cpus[i], shoot, &shot);
      REQUIRE(i == 0 || cpu_wait(&cpus[i], 2 * PATIENCE), "CPU %u is stuck", i);
      REQUIRE(shot.result == 0, "on CPU %u it gives %ld%s", i, shot.result, error_name(shot.result));
      EXPECT(shot.late > -(s64)EARLY && shot.late < (s64)LATE, "on CPU %u it is late by %ld ns", i, shot.late);
      if (shot.late > 0 && (u64)shot.late > worst) worst = (u64)shot.late;
      EXPECT(event_ports[ports[i]].cpu == i, "it fires on CPU %u", event_ports[ports[i]].cpu);
    }
  }
  note("timers are late by at most %lu us", worst / 1000);
}

CHECK(singleshot_past, "timer", "a deadline in the past fires at once") {
  if (!bind_timers()) return;
  u32 before = fired(0);
  REQUIRE_EQ(set_singleshot(cpus[0].xen_id, now_ns() - SECOND / 1000, 0), 0);
  EXPECT(WAIT_FOR(fired(0) != before, PATIENCE), "it does not fire");
}

/* Sets CPU 0's timer and stops it in time, however busy the host is, and says whether it fires all the same. */
static bool fires_when_stopped(long (*set)(u64 deadline), long (*stop)(void)) {
  for (u64 delay = QUIET;; delay *= 10) {
    u32 before = fired(0);
    u64 deadline = now_ns() + delay;
    EXPECT_EQ(set(deadline), 0);
    EXPECT_EQ(stop(), 0);
    bool in_time = now_ns() < deadline || delay > LATE;
    WAIT_FOR(now_ns() > deadline, PATIENCE);
    WAIT_FOR(false, QUIET);
    if (in_time) return fired(0) != before;
  }
}

static long set_own_singleshot(u64 deadline) { return set_singleshot(cpus[0].xen_id, deadline, 0); }
static long stop_own_singleshot(void) { return vcpu_op(VCPUOP_stop_singleshot_timer, cpus[0].xen_id, NULL); }

CHECK(singleshot_stop, "timer", "a stopped timer does not fire") {
  if (!bind_timers()) return;
  EXPECT(!fires_when_stopped(set_own_singleshot, stop_own_singleshot), "it fires");
  EXPECT_EQ(stop_own_singleshot(), 0);
}

CHECK(singleshot_replaced, "timer", "a new deadline takes the place of the old one") {
  if (!bind_timers()) return;
  u32 before = fired(0);
  EXPECT_EQ(set_singleshot(cpus[0].xen_id, now_ns() + 3600 * SECOND, 0), 0);
  EXPECT_EQ(set_singleshot(cpus[0].xen_id, now_ns() + DELAY, 0), 0);
  EXPECT(WAIT_FOR(fired(0) == before + 1, PATIENCE), "it does not fire");
  WAIT_FOR(false, DELAY);
  EXPECT(fired(0) == before + 1, "it fires %u times", fired(0) - before);
}

CHECK(singleshot_bad, "timer", "another vCPU's timer and pointers to nowhere are refused") {
  /* KVM, which may answer itself, says EINVAL of a vCPU that is not there, too. */
  u32 other = cpu_count > 1 ? cpus[1].xen_id : 4000;
  long set = set_singleshot(other, now_ns() + SECOND, 0);
  EXPECT(set == -EINVAL || (cpu_count == 1 && set == -ENOENT), "set_singleshot(%u) is %ld", other, set);
  EXPECT_EQ(vcpu_op(VCPUOP_stop_singleshot_timer, other, NULL), set);
  EXPECT_EQ(vcpu_op(VCPUOP_set_singleshot_timer, cpus[0].xen_id, probe(PROBE_HOLE, 0)), -EFAULT);
}

static long set_own_timer(u64 deadline) { return set_timer_op(deadline); }
static long stop_own_timer(void) { return set_timer_op(0); }

CHECK(set_timer, "timer", "set_timer_op sets the same timer, and 0 stops it") {
  if (!bind_timers()) return;
  u32 before = fired(0);
  u64 deadline = now_ns() + DELAY;
  REQUIRE_EQ(set_timer_op(deadline), 0);
  REQUIRE(WAIT_FOR(fired(0) != before, PATIENCE), "it does not fire");
  s64 late = (s64)(fired_at[0] - deadline);
  EXPECT(late > -(s64)EARLY && late < (s64)LATE, "it is late by %ld ns", late);
  EXPECT(!fires_when_stopped(set_own_timer, stop_own_timer), "it fires although it was stopped");
}

CHECK(set_timer_absurd, "timer", "deadlines centuries away come within a second, as old Linux needs it") {
  if (!bind_timers()) return;
  u32 before = fired(0);
  REQUIRE_EQ(set_timer_op(now_ns() + (1ull << 51)), 0);
  EXPECT(WAIT_FOR(fired(0) != before, PATIENCE), "2^51 ns ahead it does not fire");
  before = fired(0);
  REQUIRE_EQ(set_timer_op(1ull << 63), 0);
  EXPECT(WAIT_FOR(fired(0) != before, PATIENCE), "2^63 does not fire");
  set_timer_op(0);
}

static long set_periodic(u32 vcpu, u64 period) { return vcpu_op(VCPUOP_set_periodic_timer, vcpu, &period); }

CHECK(periodic, "timer", "a periodic timer ticks until it is stopped, on every vCPU") {
  if (!bind_timers()) return;
  for (u32 i = 0; i < cpu_count; i++) {
    u32 before = fired(i);
    u64 start = now_ns();
    long result = set_periodic(cpus[i].xen_id, 10 * MS);
    REQUIRE(result == 0, "on CPU %u it gives %ld%s", i, result, error_name(result));
    bool came = WAIT_FOR(fired(i) >= before + 5, PATIENCE);
    u64 elapsed = now_ns() - start;
    EXPECT_EQ(vcpu_op(VCPUOP_stop_periodic_timer, cpus[i].xen_id, NULL), 0);
    EXPECT(came, "on CPU %u it ticks %u times", i, fired(i) - before);
    EXPECT(!came || elapsed > 40 * MS, "on CPU %u five ticks of 10 ms take %lu us", i, elapsed / 1000);
    /* One tick may have been on its way. */
    before = fired(i);
    WAIT_FOR(false, 2 * QUIET);
    EXPECT(fired(i) <= before + 1, "on CPU %u it ticks on after it was stopped", i);
  }
}

CHECK(periodic_bad, "timer", "periods too short or too long give EINVAL; stopping twice is fine") {
  EXPECT_EQ(set_periodic(cpus[0].xen_id, MS - 1), -EINVAL);
  EXPECT_EQ(set_periodic(cpus[0].xen_id, 1ull << 63), -EINVAL);
  EXPECT_EQ(vcpu_op(VCPUOP_set_periodic_timer, cpus[0].xen_id, NON_CANONICAL), -EFAULT);
  EXPECT_EQ(vcpu_op(VCPUOP_stop_periodic_timer, cpus[0].xen_id, NULL), 0);
}

static void close_timers(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    EXPECT_EQ(event_close(ports[i]), 0);
    ports[i] = 0;
  }
}

CHECK(timers_closed, "timer", "VIRQ_TIMER can be closed and bound again") {
  if (!bind_timers()) return;
  close_timers();
  if (!bind_timers()) return;
  struct shot shot = { .delay = DELAY };
  shoot(&shot);
  EXPECT(shot.result == 0 && shot.late < (s64)LATE, "afterwards it gives %ld, late by %ld ns", shot.result, shot.late);
  close_timers();
}
