/* SCHEDOP_poll: a CPU sleeps until another sends to its port, which stays masked. */
#include "stress.h"

#include "../lib/clock.h"
#include "../lib/events.h"

/* Longest sleep at a time: whoever wakes without an event looks and sleeps again. */
#define NAP (20 * MS)

static struct sleeper {
  evtchn_port_t port;
  /* Events asked for, by the sleeper; events sent, by whoever sees that first. */
  volatile u32 wanted, sent;
  volatile u64 sent_at;
} sleepers[MAX_CPUS];

static bool prepare(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    long result;
    sleepers[i] = (struct sleeper){ .port = bind_ipi(cpus[i].xen_id, &result) };
    if (sleepers[i].port == 0) {
      failure(&poll, "no port can be bound to CPU %u: %ld", i, result);
      return false;
    }
  }
  return true;
}

static void wake(struct sleeper *sleeper) {
  u32 sent = sleeper->sent;
  if (sent == sleeper->wanted) return;
  if (!__atomic_compare_exchange_n(&sleeper->sent, &sent, sent + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
  sleeper->sent_at = now_ns();
  long result = evtchn_send(sleeper->port);
  if (result != 0) failure(&poll, "port %u cannot be sent on: %ld", sleeper->port, result);
}

/* One that has not been woken must find nothing pending. */
static void nap(struct sleeper *sleeper, u32 cpu) {
  const evtchn_port_t port = sleeper->port;
  u64 start = now_ns();
  while (!event_pending(port) && now_ns() < start + patience) {
    struct sched_poll request = { .ports = &port, .nr_ports = 1, .timeout = now_ns() + NAP };
    long result = sched_op(SCHEDOP_poll, &request);
    if (result != 0) failure(&poll, "SCHEDOP_poll gives %ld", result);
  }
  if (event_clear(port)) {
    note_latency(&poll, sleeper->sent_at);
    count_event(&poll);
  } else failure(&poll, "CPU %u polled port %u for %lu ms; sent %u of %u", cpu, port, (now_ns() - start) / MS, sleeper->sent,
               sleeper->wanted);
}

static bool step(u32 cpu) {
  struct sleeper *sleeper = &sleepers[cpu];
  for (u32 i = 0; i < cpu_count; i++) {
    if (i != cpu) wake(&sleepers[i]);
  }
  if (event_pending(sleeper->port)) failure(&poll, "port %u of CPU %u is pending, but nobody sent", sleeper->port, cpu);
  bool accompanied = go_away();
  __atomic_store_n(&sleeper->wanted, sleeper->wanted + 1, __ATOMIC_SEQ_CST);
  if (!accompanied) wake(sleeper);
  nap(sleeper, cpu);
  if (accompanied) come_back();
  count_operation(&poll);
  return true;
}

/* A step leaves nothing behind. But when all others have stopped, those who still sleep must be woken by somebody. */
static bool quiet(void) {
  for (u32 i = 0; i < cpu_count; i++) wake(&sleepers[i]);
  return true;
}

static void settle(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (sleepers[i].port != 0) event_close(sleepers[i].port);
    sleepers[i].port = 0;
  }
}

struct workload poll = { "poll", prepare, step, quiet, settle, NULL, 0, 0, 0 };
