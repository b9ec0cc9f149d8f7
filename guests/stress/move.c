/* Ports that move between CPUs under fire, as an interrupt balancer moves them: mask, EVTCHNOP_bind_vcpu, unmask. */
#include "lane.h"

#include "../lib/fifo.h"

static struct lane lanes[MAX_CPUS];
/* Who moves a port does so alone. */
static try_lock moving[MAX_CPUS];

static bool prepare(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (!lane_open_pair(&lanes[i], &move)) return false;
  }
  return true;
}

static bool move_one(u32 target) {
  if (!try_acquire(&moving[target])) return false;
  struct lane *lane = &lanes[target];
  event_mask(lane->in);
  long result = event_move(lane->in, random_below(cpu_count));
  if (result == 0 && fifo_active) result = fifo_set_priority(lane->in, random_below(FIFO_QUEUES));
  if (result == 0) result = evtchn_unmask(lane->in);
  if (result != 0) failure(&move, "port %u cannot be moved: %ld", lane->in, result);
  release(&moving[target]);
  count_operation(&move);
  return true;
}

static bool step(u32 cpu) {
  bool sent = lane_send(&lanes[cpu]);
  return move_one(random_below(cpu_count)) || sent;
}

static bool quiet(void) { return lanes_idle(lanes, cpu_count); }
static void settle(void) { lanes_close(lanes, cpu_count); }

struct workload move = { "move", prepare, step, quiet, settle, NULL, 0, 0, 0 };
