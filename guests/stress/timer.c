/* VIRQ_TIMER of every CPU: each deadline fires once, on its CPU, not early. */
#include "port-state.h"
#include "stress.h"

#include "../lib/clock.h"
#include "../lib/events.h"

/* A timer may be early by what clocks of host and guest differ. */
#define EARLY (MS / 2)
#define MAX_DELAY (10 * MS)

static struct shot {
  evtchn_port_t port;
  volatile bool armed;
  volatile u64 deadline;
} shots[MAX_CPUS];

static void fired(evtchn_port_t port UNUSED, void *argument) {
  struct shot *shot = argument;
  u32 cpu = this_cpu()->index;
  u64 now = now_ns();
  if (shot != &shots[cpu]) failure(&timer, "the timer of CPU %lu fired on CPU %u", (u64)(shot - shots), cpu);
  else if (!shot->armed) failure(&timer, "the timer of CPU %u fired twice", cpu);
  else if (now + EARLY < shot->deadline) {
    failure(&timer, "the timer of CPU %u fired %lu us early", cpu, (shot->deadline - now) / 1000);
  } else {
    count_event(&timer);
    note_latency(&timer, shot->deadline);
  }
  shot->armed = false;
}

static bool prepare(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    long result;
    shots[i] = (struct shot){ .port = bind_virq(VIRQ_TIMER, cpus[i].xen_id, &result) };
    if (shots[i].port == 0) {
      failure(&timer, "VIRQ_TIMER of CPU %u cannot be bound: %ld", i, result);
      return false;
    }
    event_listen(shots[i].port, fired, &shots[i]);
  }
  return true;
}

/* By either hypercall, which set the same timer. */
static long set(u64 deadline) {
  struct vcpu_set_singleshot_timer singleshot = { .timeout_abs_ns = deadline };
  if (random_below(2) == 0) return set_timer_op(deadline);
  return vcpu_op(VCPUOP_set_singleshot_timer, this_cpu()->xen_id, &singleshot);
}

static bool step(u32 cpu) {
  struct shot *shot = &shots[cpu];
  if (shot->armed) {
    if (now_ns() > shot->deadline + patience && shot->armed) {
      failure(&timer, "the timer of CPU %u is %lu ms late: %s", cpu, (now_ns() - shot->deadline) / MS, port_state(shot->port).text);
      shot->deadline = ~0ull - patience; /* said once */
    }
    return false;
  }
  shot->deadline = now_ns() + random_below(MAX_DELAY);
  shot->armed = true;
  long result = set(shot->deadline);
  if (result != 0) failure(&timer, "the timer of CPU %u cannot be set: %ld", cpu, result);
  count_operation(&timer);
  return true;
}

static bool quiet(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (shots[i].armed) return false;
  }
  return true;
}

static void settle(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (shots[i].armed) failure(&timer, "the timer of CPU %u did not fire", i);
    if (shots[i].port != 0) event_close(shots[i].port);
    shots[i].port = 0;
  }
}

struct workload timer = { "timer", prepare, step, quiet, settle, NULL, 0, 0, 0 };
