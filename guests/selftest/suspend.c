/*
 * Suspend and soft reset: [SCHED] public/sched.h. Only run when asked for, as the host must let a suspended guest go on:
 * the first time as if nothing had happened, the second as in a new domain.
 */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"
#include "../lib/x86.h"

#define PATIENCE (20 * SECOND)

static long ask(u32 reason) {
  struct { u32 reason; } request = { reason };
  note("shutdown %u", reason);
  return sched_op(SCHEDOP_shutdown, &request);
}

static void expect_events(void) {
  for (u32 i = 0; i < cpu_count; i++) {
    evtchn_port_t port = bind_ipi(cpus[i].xen_id, NULL);
    REQUIRE(port != 0, "no IPI can be bound on CPU %u", i);
    event_listen(port, NULL, NULL);
    EXPECT_EQ(evtchn_send(port), 0);
    EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "CPU %u gets %u events", i, event_ports[port].count);
    event_close(port);
  }
}

/* What a kernel does in a new domain. Another vCPU's vcpu_info is registered while that is down. */
static void set_up_anew(void) {
  REQUIRE_EQ(events_map_shared_info(shared_info), 0);
  for (u32 i = 0; i < cpu_count; i++) {
    cpus[i].vcpu_info = NULL;
    EXPECT_EQ(vcpu_op(VCPUOP_is_up, cpus[i].xen_id, NULL), 1);
    if (i > 0) EXPECT_EQ(vcpu_op(VCPUOP_down, cpus[i].xen_id, NULL), 0);
    EXPECT_EQ(events_init_cpu(&cpus[i]), 0);
    if (i > 0) EXPECT_EQ(vcpu_op(VCPUOP_up, cpus[i].xen_id, NULL), 0);
  }
  EXPECT_EQ(use_upcall_vectors(), 0);
}

CHECK(suspend_cancelled, "suspend", "a suspend that was cancelled leaves everything as it was") {
  use_upcall_vectors();
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  EXPECT_EQ(ask(SHUTDOWN_suspend), 1);
  event_listen(port, NULL, NULL);
  EXPECT_EQ(evtchn_send(port), 0);
  EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "%u events come", event_ports[port].count);
  event_close(port);
  expect_events();
}

CHECK(suspend_restored, "suspend", "a suspended guest finds itself in a new domain") {
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  EXPECT_EQ(ask(SHUTDOWN_suspend), 0);
  EXPECT_EQ(evtchn_send(port), -EINVAL);
  set_up_anew();
  expect_events();
}

CHECK(soft_reset, "suspend", "a soft reset closes every port, and a kernel can start over") {
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  EXPECT_EQ(ask(SHUTDOWN_soft_reset), 0);
  EXPECT_EQ(evtchn_send(port), -EINVAL);
  set_up_anew();
  expect_events();
}
