/* VCPUOP_down and VCPUOP_up: a CPU stops in the middle of everything, and goes on where it was. Events wait for it. */
#include "stress.h"

#include "../lib/clock.h"
#include "../lib/hypercall.h"

/* Nobody gets anything done by a CPU that is down. */
#define PAUSE (50 * MS)
#define MAX_DOWN (5 * MS)

static u64 next_at;

static bool prepare(void) { return cpu_count > 1; }

static void order(u32 target, u32 operation, const char *name, long up) {
  long result = vcpu_op(operation, cpus[target].xen_id, NULL);
  if (result != 0) failure(&power, "%s of CPU %u gives %ld", name, target, result);
  result = vcpu_op(VCPUOP_is_up, cpus[target].xen_id, NULL);
  if (result != up) failure(&power, "VCPUOP_is_up gives %ld after %s of CPU %u", result, name, target);
}

/* The lock keeps two CPUs from taking each other down. */
static bool step(u32 cpu) {
  if (now_ns() < next_at || !try_acquire(&starting_cpus)) return false;
  u32 target = (cpu + 1 + random_below(cpu_count - 1)) % cpu_count;
  order(target, VCPUOP_down, "VCPUOP_down", 0);
  WAIT_FOR(false, random_below(MAX_DOWN));
  order(target, VCPUOP_up, "VCPUOP_up", 1);
  count_operation(&power);
  next_at = now_ns() + random_below(PAUSE);
  release(&starting_cpus);
  return true;
}

/* A step leaves nothing behind. */
static bool quiet(void) { return true; }
static void settle(void) {}

struct workload power = { "power", prepare, step, quiet, settle, NULL, 0, 0, 0 };
