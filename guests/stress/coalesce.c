/*
 * Many senders on one port: events run together, but after the last one the port must be taken once more. This is where a
 * send meets the taker's clearing of the bit.
 */
#include "port-state.h"
#include "stress.h"

#include "../lib/clock.h"
#include "../lib/events.h"

/* One for each CPU, which takes what all send. */
static struct shared_port {
  evtchn_port_t port;
  /* Number of sends, counted before each; and how many had been made when the port was last taken. */
  volatile u32 sent, seen;
  volatile u64 sent_at;
  volatile u32 taken;
  volatile bool broken;
} ports[MAX_CPUS];

static void take(evtchn_port_t port, void *argument) {
  struct shared_port *shared = argument;
  u32 cpu = this_cpu()->index;
  if (shared != &ports[cpu]) failure(&coalesce, "port %u came to CPU %u", port, cpu);
  shared->taken++;
  u32 sent = __atomic_load_n(&shared->sent, __ATOMIC_SEQ_CST);
  if (shared->taken > sent) failure(&coalesce, "port %u came %u times for %u events", port, shared->taken, sent);
  __atomic_store_n(&shared->seen, sent, __ATOMIC_SEQ_CST);
  note_latency(&coalesce, shared->sent_at);
  count_event(&coalesce);
}

static bool prepare(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    long result;
    ports[i] = (struct shared_port){ .port = bind_ipi(cpus[i].xen_id, &result) };
    if (ports[i].port == 0) {
      failure(&coalesce, "no port can be bound to CPU %u: %ld", i, result);
      return false;
    }
    event_listen(ports[i].port, take, &ports[i]);
  }
  return true;
}

static bool idle(const struct shared_port *shared) { return shared->broken || shared->seen == shared->sent; }

static void check(struct shared_port *shared) {
  u64 now = now_ns(), sent_at = shared->sent_at;
  if (idle(shared) || now <= sent_at + patience) return;
  shared->broken = true;
  failure(&coalesce, "port %u: %u events sent, the last %lu ms ago, and only %u seen; %s", shared->port,
          shared->sent, (now - sent_at) / MS, shared->seen, port_state(shared->port).text);
}

static bool step(u32 cpu UNUSED) {
  struct shared_port *shared = &ports[random_below(cpu_count)];
  if (shared->broken) return false;
  check(shared);
  for (u32 i = random_below(4); i < 4; i++) {
    shared->sent_at = now_ns();
    __atomic_fetch_add(&shared->sent, 1, __ATOMIC_SEQ_CST);
    long result = evtchn_send(shared->port);
    if (result != 0) failure(&coalesce, "port %u cannot be sent on: %ld", shared->port, result);
    count_operation(&coalesce);
  }
  return true;
}

static bool quiet(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (!idle(&ports[i])) return false;
  }
  return true;
}

static void settle(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (ports[i].port == 0) continue;
    if (!idle(&ports[i])) {
      failure(&coalesce, "port %u: %u events sent, %u seen at the end of a round", ports[i].port, ports[i].sent, ports[i].seen);
    }
    event_close(ports[i].port);
    ports[i].port = 0;
  }
}

struct workload coalesce = { "coalesce", prepare, step, quiet, settle, NULL, 0, 0, 0 };
