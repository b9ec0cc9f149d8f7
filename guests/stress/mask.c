/* Ports that are masked and unmasked by all CPUs while events come: a masked one waits, none is lost. */
#include "lane.h"

static struct lane lanes[MAX_CPUS];
/* Who masks a port unmasks it: one at a time. */
static try_lock masking[MAX_CPUS];

static bool prepare(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (!lane_open(&lanes[i], &mask, i)) return false;
  }
  return true;
}

/* On the CPU that takes the port's events: while it is masked, none comes. */
static void hold_back(struct lane *lane) {
  u32 taken = lane->taken;
  for (u32 i = random_below(20); i > 0; i--) relax();
  if (lane->taken != taken) failure(&mask, "port %u came although it was masked", lane->in);
}

static bool flip(u32 cpu, u32 target) {
  struct lane *lane = &lanes[target];
  if (!try_acquire(&masking[target])) return false;
  event_mask(lane->in);
  if (cpu == target) hold_back(lane);
  long result = evtchn_unmask(lane->in);
  if (result != 0) failure(&mask, "port %u cannot be unmasked: %ld", lane->in, result);
  release(&masking[target]);
  count_operation(&mask);
  return true;
}

/* Each CPU sends to the next. */
static bool step(u32 cpu) {
  bool sent = lane_send(&lanes[(cpu + 1) % cpu_count]);
  return flip(cpu, random_below(cpu_count)) || sent;
}

static bool quiet(void) { return lanes_idle(lanes, cpu_count); }
static void settle(void) { lanes_close(lanes, cpu_count); }

struct workload mask = { "mask", prepare, step, quiet, settle, NULL, 0, 0, 0 };
