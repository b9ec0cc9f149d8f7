/* Event channels with one event under way at most (lane.h). */
#include "lane.h"

#include "port-state.h"

#include "../lib/clock.h"

static void take(evtchn_port_t port, void *argument) {
  struct lane *lane = argument;
  u32 cpu = this_cpu()->index;
  u32 taken = lane->taken;
  if (lane->broken) return;
  if (taken == lane->sent) {
    lane->broken = true;
    failure(lane->owner, "event %u on port %u came twice, to CPU %u", taken, port, cpu);
    return;
  }
  if (lane->to != ANY_CPU && lane->to != cpu) {
    failure(lane->owner, "event %u on port %u came to CPU %u, not %u", taken + 1, port, cpu, lane->to);
  } else {
    count_event(lane->owner);
    note_latency(lane->owner, lane->sent_at);
  }
  __atomic_store_n(&lane->taken, taken + 1, __ATOMIC_RELEASE);
}

static void take_and_plant(evtchn_port_t port, void *argument) {
  take(port, argument);
  if (planted(PLANT_DOUBLED_EVENT)) take(port, argument);
}

bool lane_open(struct lane *lane, struct workload *owner, u32 to) {
  long result;
  *lane = (struct lane){ .owner = owner, .to = to };
  lane->out = lane->in = bind_ipi(cpus[to].xen_id, &result);
  if (lane->in == 0) {
    failure(owner, "no port can be bound to CPU %u: %ld", to, result);
    return false;
  }
  event_listen(lane->in, take_and_plant, lane);
  return true;
}

bool lane_open_pair(struct lane *lane, struct workload *owner) {
  struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
  long result = evtchn_op(EVTCHNOP_alloc_unbound, &alloc);
  struct evtchn_bind_interdomain pair = { .remote_dom = DOMID_SELF, .remote_port = alloc.port };
  if (result == 0) result = evtchn_op(EVTCHNOP_bind_interdomain, &pair);
  *lane = (struct lane){ .owner = owner, .to = ANY_CPU, .in = alloc.port, .out = pair.local_port };
  if (result != 0) {
    failure(owner, "two ports cannot be bound to each other: %ld", result);
    return false;
  }
  event_listen(lane->in, take_and_plant, lane);
  return true;
}

static bool lane_idle(const struct lane *lane) {
  return lane->broken || __atomic_load_n(&lane->taken, __ATOMIC_ACQUIRE) == lane->sent;
}

static void report_lost(struct lane *lane) {
  lane->broken = true;
  failure(lane->owner, "event %u on port %u was lost: sent %lu ms ago, %s", lane->sent, lane->in,
          (now_ns() - lane->sent_at) / MS, port_state(lane->in).text);
}

bool lane_send(struct lane *lane) {
  if (lane->broken) return false;
  if (!lane_idle(lane)) {
    /* The clock first: it may be taken, and the next one sent, while we look. */
    u64 now = now_ns();
    u64 sent_at = lane->sent_at;
    if (now > sent_at + patience && !lane_idle(lane)) report_lost(lane);
    return false;
  }
  lane->sent_at = now_ns();
  __atomic_store_n(&lane->sent, lane->sent + 1, __ATOMIC_SEQ_CST);
  if (planted(PLANT_LOST_EVENT)) return true;
  long result = evtchn_send(lane->out);
  if (result != 0) {
    lane->broken = true;
    failure(lane->owner, "port %u cannot be sent on: %ld", lane->out, result);
  }
  return true;
}

static void lane_close(struct lane *lane) {
  if (lane->in == 0) return;
  if (!lane_idle(lane)) report_lost(lane);
  long result = event_close(lane->in);
  if (lane->out != lane->in && result == 0) result = event_close(lane->out);
  if (result != 0) failure(lane->owner, "port %u cannot be closed: %ld", lane->in, result);
  lane->in = lane->out = 0;
}

bool lanes_idle(const struct lane *lanes, u32 count) {
  for (u32 i = 0; i < count; i++) {
    if (!lane_idle(&lanes[i])) return false;
  }
  return true;
}

void lanes_close(struct lane *lanes, u32 count) {
  for (u32 i = 0; i < count; i++) lane_close(&lanes[i]);
}
