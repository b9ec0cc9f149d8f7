/*
 * Ports that are bound and closed by all CPUs at once, while others send on them until and after they are gone. A port's
 * number goes from one CPU to another that way, so events of its former life may come: but the event that a port's owner
 * sends must come, and a closed port takes nothing.
 */
#include "port-state.h"
#include "stress.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/fifo.h"

/* What each CPU has bound now; 0 for nothing. */
static volatile evtchn_port_t open_ports[MAX_CPUS];

static void take(evtchn_port_t port, void *argument) {
  u32 owner = (u32)(uintptr_t)argument;
  u32 cpu = this_cpu()->index;
  /* In a FIFO queue the port may still stand where its former owner's events went. */
  if (cpu != owner && !fifo_active) failure(&bind, "port %u of CPU %u came to CPU %u", port, owner, cpu);
  count_event(&bind);
}

static bool prepare(void) { return true; }

/* Sends to somebody's port, which may be closed or another's by now. */
static void disturb(void) {
  evtchn_port_t port = open_ports[random_below(cpu_count)];
  if (port == 0) return;
  long result = evtchn_send(port);
  if (result != 0 && result != -EINVAL) failure(&bind, "port %u, open or not, gives %ld", port, result);
}

static evtchn_port_t open_port(u32 cpu) {
  long result;
  evtchn_port_t port = bind_ipi(cpus[cpu].xen_id, &result);
  if (port == 0) {
    failure(&bind, "no port can be bound: %ld", result);
    return 0;
  }
  if (!event_masked(port)) failure(&bind, "port %u is not masked when it is bound", port);
  event_listen(port, take, (void *)(uintptr_t)cpu);
  return port;
}

static bool step(u32 cpu) {
  disturb();
  evtchn_port_t port = open_port(cpu);
  if (port == 0) return false;
  open_ports[cpu] = port;
  u32 before = event_ports[port].count;
  u64 sent_at = now_ns();
  long result = evtchn_send(port);
  if (result != 0) failure(&bind, "port %u, just bound, gives %ld", port, result);
  if (!WAIT_FOR(event_ports[port].count != before, patience)) {
    failure(&bind, "the event on port %u of CPU %u was lost: %s", port, cpu, port_state(port).text);
  }
  note_latency(&bind, sent_at);
  for (u32 i = random_below(8); i > 0; i--) disturb();
  open_ports[cpu] = 0;
  result = event_close(port);
  if (result != 0) failure(&bind, "port %u cannot be closed: %ld", port, result);
  count_operation(&bind);
  return true;
}

/* A step leaves nothing behind. */
static bool quiet(void) { return true; }
static void settle(void) {}

struct workload bind = { "bind", prepare, step, quiet, settle, NULL, 0, 0, 0 };
