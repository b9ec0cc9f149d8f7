/* The clocks: vcpu_time_info of every vCPU, and the wall clock of shared_info. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"
#include "../lib/x86.h"

#define PATIENCE (30 * SECOND)
#define SAMPLES 500
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
/* Since 1970: 2020-01-01 and 2200-01-01. */
#define WALL_CLOCK_MIN 1577836800ull
#define WALL_CLOCK_MAX 7258118400ull

/* The latest time that any CPU has seen, and by how much another has since gone behind it. */
static u64 latest;
static u8 latest_lock;
static u64 worst_step_back;

static void sample(void *argument UNUSED) {
  for (u32 i = 0; i < SAMPLES; i++) {
    while (__atomic_exchange_n(&latest_lock, 1, __ATOMIC_ACQUIRE) != 0) pause();
    u64 now = now_ns();
    if (now < latest && latest - now > worst_step_back) worst_step_back = latest - now;
    if (now > latest) latest = now;
    __atomic_store_n(&latest_lock, 0, __ATOMIC_RELEASE);
  }
}

CHECK(monotonic, "time", "system time never goes back, on one vCPU or between them") {
  latest = worst_step_back = 0;
  for (u32 i = 1; i < cpu_count; i++) cpu_run(&cpus[i], sample, NULL);
  sample(NULL);
  for (u32 i = 1; i < cpu_count; i++) REQUIRE(cpu_wait(&cpus[i], PATIENCE), "CPU %u is stuck", i);
  EXPECT(worst_step_back == 0, "it goes back by %lu ns", worst_step_back);
}

CHECK(versions, "time", "time info is consistent on every vCPU") {
  for (u32 i = 0; i < cpu_count; i++) {
    const struct vcpu_time_info *time = &cpus[i].vcpu_info->time;
    EXPECT(!(READ_ONCE(time->version) & 1), "CPU %u's version is odd: %u", i, time->version);
    EXPECT(time->tsc_to_system_mul == cpus[0].vcpu_info->time.tsc_to_system_mul, "CPU %u's scale differs", i);
    EXPECT(time->tsc_timestamp <= rdtsc(), "CPU %u's time stamp lies ahead", i);
  }
  bool stable = cpus[0].vcpu_info->time.flags & PVCLOCK_TSC_STABLE;
  note("the clock tells of a TSC that is %s", stable ? "stable" : "not known to be stable");
}

#define SPEED_TRIES 5

/* A processor that is taken away between two looks makes them differ: not every time. */
CHECK(shared_copy, "time", "the clock runs at the speed that the TSC has") {
  u64 elapsed = 0, by_tsc = 0, difference = ~0ull;
  for (u32 i = 0; i < SPEED_TRIES && difference >= 5 * MS; i++) {
    u64 tsc = rdtsc(), start = now_ns();
    WAIT_FOR(false, 20 * MS);
    elapsed = now_ns() - start;
    by_tsc = tsc_to_ns(rdtsc() - tsc);
    difference = elapsed > by_tsc ? elapsed - by_tsc : by_tsc - elapsed;
  }
  EXPECT(elapsed >= 20 * MS && difference < 5 * MS, "%lu ns by the clock, %lu by the TSC", elapsed, by_tsc);
}

static u32 cmos(u8 index) {
  outb(CMOS_INDEX, index);
  u8 value = inb(CMOS_DATA);
  return (value >> 4) * 10u + (value & 15);
}

CHECK(wall_clock, "time", "the wall clock is of this century, and agrees with the real-time clock") {
  u32 version;
  u64 seconds;
  do {
    while ((version = READ_ONCE(shared_info->wc_version)) & 1) pause();
    seconds = (u64)READ_ONCE(shared_info->wc_sec_hi) << 32 | READ_ONCE(shared_info->wc_sec);
  } while (READ_ONCE(shared_info->wc_version) != version);
  EXPECT(shared_info->wc_nsec < SECOND, "it has %u nanoseconds", shared_info->wc_nsec);
  EXPECT(version != 0, "it was never set");
  REQUIRE(seconds > WALL_CLOCK_MIN && seconds < WALL_CLOCK_MAX, "it says %lu", seconds);
  u64 now = seconds + now_ns() / SECOND;
  u32 minute = cmos(2);
  u32 by_xen = (u32)(now / 60 % 60);
  u32 apart = (minute + 60 - by_xen) % 60;
  EXPECT(apart <= 1 || apart == 59, "minute %u by Xen, %u by the real-time clock", by_xen, minute);
}
