/*
 * EVTCHNOP_reset, between rounds: it closes all ports while every CPU sends on them, and ends FIFO channels. Whoever sends
 * finds out in the end.
 */
#include "closeall.h"

#include "host.h"
#include "stress.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/fifo.h"
#include "../lib/x86.h"

#define PORTS 32

static evtchn_port_t ports[PORTS];
static bool fifo;

static bool prepare(void) {
  fifo = fifo_active;
  return true;
}

/* Until every port is closed. */
static void send_all(void *argument UNUSED) {
  u64 end = now_ns() + patience;
  for (u32 open = PORTS; open > 0 && now_ns() < end;) {
    open = 0;
    for (u32 i = 0; i < PORTS; i++) {
      long result = evtchn_send(ports[i]);
      if (result == 0) open++;
      else if (result != -EINVAL) failure(&closeall, "port %u, which is being closed, gives %ld", ports[i], result);
    }
  }
}

static bool bind_all(void) {
  for (u32 i = 0; i < PORTS; i++) {
    ports[i] = bind_ipi(cpus[i % cpu_count].xen_id, NULL);
    if (ports[i] == 0) {
      failure(&closeall, "only %u ports can be bound", i);
      return false;
    }
    event_listen(ports[i], NULL, NULL);
  }
  return true;
}

static void check_closed(void) {
  for (u32 i = 0; i < PORTS; i++) {
    struct evtchn_status status = { .dom = DOMID_SELF, .port = ports[i] };
    long result = evtchn_op(EVTCHNOP_status, &status);
    if (result != 0 || status.status != EVTCHNSTAT_closed) {
      failure(&closeall, "port %u has state %u after EVTCHNOP_reset", ports[i], status.status);
    }
    event_ports[ports[i]] = (struct event_port){ 0 };
    event_mask(ports[i]);
  }
}

/* The console's port is open still, but channels of the other kind have masks of their own. */
static void set_up_again(void) {
  if (fifo && fifo_switch() != 0) failure(&closeall, "FIFO channels cannot be had again");
  host_listen();
}

void closeall_now(void) {
  if (!bind_all()) return;
  for (u32 i = 1; i < cpu_count; i++) cpu_run(&cpus[i], send_all, NULL);
  for (u32 i = random_below(PORTS); i > 0; i--) evtchn_send(ports[i]);
  long result = fifo_leave();
  if (result != 0) failure(&closeall, "EVTCHNOP_reset gives %ld", result);
  send_all(NULL);
  for (u32 i = 1; i < cpu_count; i++) {
    if (!cpu_wait(&cpus[i], 2 * patience)) failure(&closeall, "CPU %u is stuck", i);
  }
  check_closed();
  set_up_again();
  count_operation(&closeall);
}

static bool step(u32 cpu UNUSED) { return false; }
static bool quiet(void) { return true; }
static void settle(void) {}

struct workload closeall = { "closeall", prepare, step, quiet, settle, NULL, 0, 0, 0 };
