/* event_channel_op: [EVTCHN] public/event_channel.h. Errors are those of xen.git xen/common/event_channel.c. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/x86.h"
#include "../lib/xs.h"

#define PATIENCE (10 * SECOND)
static const evtchn_port_t bad_ports[] = { 0, EVTCHN_2L_NR_CHANNELS, 0x7fffffff, 0x80000000, 0xffffffff };

static evtchn_port_t alloc_unbound(domid_t remote, long *result) {
  struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = remote };
  *result = evtchn_op(EVTCHNOP_alloc_unbound, &alloc);
  return *result == 0 ? alloc.port : 0;
}

static struct evtchn_status status_of(evtchn_port_t port) {
  struct evtchn_status status = { .dom = DOMID_SELF, .port = port, .status = 99 };
  evtchn_op(EVTCHNOP_status, &status);
  return status;
}

CHECK(bad_port_numbers, "evtchn", "ports out of range give EINVAL everywhere") {
  for (u32 i = 0; i < ARRAY_SIZE(bad_ports); i++) {
    evtchn_port_t port = bad_ports[i];
    struct evtchn_status status = { .dom = DOMID_SELF, .port = port };
    struct evtchn_bind_vcpu bind = { .port = port, .vcpu = 0 };
    EXPECT(evtchn_send(port) == -EINVAL, "send on port 0x%x gives %ld", port, evtchn_send(port));
    EXPECT(evtchn_close(port) == -EINVAL, "close of port 0x%x gives %ld", port, evtchn_close(port));
    EXPECT(evtchn_unmask(port) == -EINVAL, "unmask of port 0x%x gives %ld", port, evtchn_unmask(port));
    EXPECT_EQ(evtchn_op(EVTCHNOP_status, &status), -EINVAL);
    EXPECT_EQ(evtchn_op(EVTCHNOP_bind_vcpu, &bind), -EINVAL);
  }
}

CHECK(bad_evtchn_pointers, "evtchn", "arguments at pointers to nowhere give EFAULT") {
  static const u8 commands[] = {
    EVTCHNOP_bind_interdomain, EVTCHNOP_bind_virq, EVTCHNOP_close,    EVTCHNOP_send,   EVTCHNOP_status,
    EVTCHNOP_alloc_unbound,    EVTCHNOP_bind_ipi,  EVTCHNOP_bind_vcpu, EVTCHNOP_unmask, EVTCHNOP_reset,
  };
  for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
    long wild = evtchn_op(commands[i], NON_CANONICAL);
    long hole = evtchn_op(commands[i], probe(PROBE_HOLE, 16));
    EXPECT(wild == -EFAULT && hole == -EFAULT, "command %u gives %ld and %ld", commands[i], wild, hole);
  }
}

CHECK(evtchn_unknown, "evtchn", "an unknown command gives ENOSYS") { EXPECT_EQ(evtchn_op(99, &machine), -ENOSYS); }

CHECK(ipi_status, "evtchn", "an IPI port has its status and vCPU") {
  u32 last = cpu_count - 1;
  evtchn_port_t port = bind_ipi(cpus[last].xen_id, NULL);
  REQUIRE(port != 0, "it cannot be bound");
  struct evtchn_status status = status_of(port);
  EXPECT_EQ(status.status, EVTCHNSTAT_ipi);
  EXPECT_EQ(status.vcpu, cpus[last].xen_id);
  EXPECT_EQ(event_close(port), 0);
  EXPECT_EQ(status_of(port).status, EVTCHNSTAT_closed);
}

CHECK(ipi_no_vcpu, "evtchn", "an IPI port for a vCPU that does not exist gives ENOENT") {
  long result;
  bind_ipi(4000, &result);
  EXPECT_EQ(result, -ENOENT);
}

CHECK(close_twice, "evtchn", "closing a closed port gives EINVAL") {
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  EXPECT_EQ(event_close(port), 0);
  EXPECT_EQ(evtchn_close(port), -EINVAL);
  EXPECT_EQ(evtchn_send(port), -EINVAL);
}

CHECK(virq_errors, "evtchn", "virtual interrupts are bound once, where they belong") {
  long result;
  bind_virq(NR_VIRQS, cpus[0].xen_id, &result);
  EXPECT_EQ(result, -EINVAL);
  bind_virq(VIRQ_TIMER, 4000, &result);
  EXPECT_EQ(result, -ENOENT);
  evtchn_port_t debug = bind_virq(VIRQ_DEBUG, cpus[0].xen_id, &result);
  REQUIRE_EQ(result, 0);
  struct evtchn_status status = status_of(debug);
  EXPECT_EQ(status.status, EVTCHNSTAT_virq);
  EXPECT_EQ(status.u.virq, VIRQ_DEBUG);
  bind_virq(VIRQ_DEBUG, cpus[0].xen_id, &result);
  EXPECT_EQ(result, -EEXIST);
  EXPECT_EQ(evtchn_send(debug), -EINVAL);
  EXPECT_EQ(event_close(debug), 0);
}

CHECK(virq_global, "evtchn", "a global virtual interrupt belongs to vCPU 0") {
  if (cpu_count < 2) return skip("there is one CPU");
  long result;
  evtchn_port_t port = bind_virq(VIRQ_DOM_EXC, cpus[1].xen_id, &result);
  EXPECT(result == -EINVAL || result == -EPERM, "on vCPU 1 it gives %ld%s", result, error_name(result));
  if (port != 0) event_close(port);
}

CHECK(unbound, "evtchn", "an unbound port waits for its domain; sending on it does nothing") {
  long result;
  evtchn_port_t port = alloc_unbound(0, &result);
  REQUIRE_EQ(result, 0);
  struct evtchn_status status = status_of(port);
  EXPECT_EQ(status.status, EVTCHNSTAT_unbound);
  EXPECT_EQ(status.u.unbound.dom, 0);
  EXPECT_EQ(evtchn_send(port), 0);
  EXPECT(!event_pending(port), "it became pending");
  EXPECT_EQ(event_close(port), 0);
}

CHECK(alloc_for_others, "evtchn", "ports can be allocated for oneself only") {
  struct evtchn_alloc_unbound alloc = { .dom = 1234, .remote_dom = 0 };
  long result = evtchn_op(EVTCHNOP_alloc_unbound, &alloc);
  EXPECT(result == -ESRCH || result == -EPERM, "it gives %ld%s", result, error_name(result));
}

CHECK(loopback, "evtchn", "two ports of the guest's own can be bound to each other") {
  long result;
  evtchn_port_t left = alloc_unbound(DOMID_SELF, &result);
  REQUIRE_EQ(result, 0);
  struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF, .remote_port = left };
  REQUIRE_EQ(evtchn_op(EVTCHNOP_bind_interdomain, &bind), 0);
  evtchn_port_t right = bind.local_port;
  EXPECT(right != left, "it is bound to itself");
  struct evtchn_status status = status_of(left);
  EXPECT_EQ(status.status, EVTCHNSTAT_interdomain);
  EXPECT_EQ(status.u.interdomain.port, right);
  event_listen(left, NULL, NULL);
  event_listen(right, NULL, NULL);
  WAIT_FOR(event_ports[right].count > 0, 50 * MS); /* Xen raises a port when it is bound */
  u32 before = event_ports[left].count;
  EXPECT_EQ(evtchn_send(right), 0);
  EXPECT(WAIT_FOR(event_ports[left].count == before + 1, PATIENCE), "right to left: %u events", event_ports[left].count);
  before = event_ports[right].count;
  EXPECT_EQ(evtchn_send(left), 0);
  EXPECT(WAIT_FOR(event_ports[right].count == before + 1, PATIENCE), "left to right: %u events",
         event_ports[right].count - before);
  EXPECT_EQ(event_close(left), 0);
  EXPECT_EQ(status_of(right).status, EVTCHNSTAT_unbound);
  EXPECT_EQ(event_close(right), 0);
}

CHECK(interdomain_errors, "evtchn", "bind_interdomain refuses wrong domains and ports") {
  struct evtchn_bind_interdomain bind = { .remote_dom = 1234, .remote_port = 1 };
  EXPECT_EQ(evtchn_op(EVTCHNOP_bind_interdomain, &bind), -ESRCH);
  evtchn_port_t ipi = bind_ipi(cpus[0].xen_id, NULL);
  bind = (struct evtchn_bind_interdomain){ .remote_dom = DOMID_SELF, .remote_port = ipi };
  EXPECT_EQ(evtchn_op(EVTCHNOP_bind_interdomain, &bind), -EINVAL);
  event_close(ipi);
  bind = (struct evtchn_bind_interdomain){ .remote_dom = DOMID_SELF, .remote_port = EVTCHN_2L_NR_CHANNELS };
  EXPECT_EQ(evtchn_op(EVTCHNOP_bind_interdomain, &bind), -EINVAL);
}

CHECK(masking, "evtchn", "a masked event stays pending and comes when it is unmasked") {
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  REQUIRE(port != 0 && event_masked(port), "the port is not there, or not masked");
  EXPECT_EQ(evtchn_send(port), 0);
  EXPECT_EQ(evtchn_send(port), 0);
  EXPECT(event_pending(port), "it is not pending");
  EXPECT(event_ports[port].count == 0, "it comes although it is masked");
  EXPECT_EQ(evtchn_unmask(port), 0);
  EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "it comes %u times after unmask", event_ports[port].count);
  EXPECT(!event_masked(port) && !event_pending(port), "masked %u, pending %u", event_masked(port), event_pending(port));
  event_close(port);
}

CHECK(bind_vcpu, "evtchn", "a port moves between vCPUs") {
  if (cpu_count < 2) return skip("there is one CPU");
  long result;
  evtchn_port_t left = alloc_unbound(DOMID_SELF, &result);
  struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF, .remote_port = left };
  REQUIRE_EQ(evtchn_op(EVTCHNOP_bind_interdomain, &bind), 0);
  evtchn_port_t right = bind.local_port;
  event_listen(left, NULL, NULL);
  for (u32 i = 0; i < 2 * cpu_count; i++) {
    u32 cpu = (i + 1) % cpu_count;
    EXPECT_EQ(event_move(left, cpu), 0);
    u32 before = event_ports[left].count;
    EXPECT_EQ(evtchn_send(right), 0);
    EXPECT(WAIT_FOR(event_ports[left].count == before + 1, PATIENCE), "no event on CPU %u", cpu);
    EXPECT(event_ports[left].cpu == cpu, "it comes to CPU %u, not %u", event_ports[left].cpu, cpu);
  }
  event_close(left);
  event_close(right);
}

CHECK(bind_vcpu_errors, "evtchn", "IPIs and per-vCPU interrupts do not move; vCPUs must exist") {
  evtchn_port_t ipi = bind_ipi(cpus[0].xen_id, NULL);
  struct evtchn_bind_vcpu move = { .port = ipi, .vcpu = cpus[0].xen_id };
  EXPECT_EQ(evtchn_op(EVTCHNOP_bind_vcpu, &move), -EINVAL);
  event_close(ipi);
  long result;
  evtchn_port_t port = alloc_unbound(0, &result);
  move = (struct evtchn_bind_vcpu){ .port = port, .vcpu = 4000 };
  EXPECT_EQ(evtchn_op(EVTCHNOP_bind_vcpu, &move), -ENOENT);
  event_close(port);
}

CHECK(exhaustion, "evtchn", "ports run out with ENOSPC, and come back when they are closed") {
  static evtchn_port_t ports[EVTCHN_2L_NR_CHANNELS];
  u32 counts[2] = { 0, 0 };
  for (u32 round = 0; round < 2; round++) {
    long result = 0;
    u32 count = 0;
    while (count < ARRAY_SIZE(ports) && (ports[count] = alloc_unbound(0, &result)) != 0) count++;
    EXPECT_EQ(result, -ENOSPC);
    for (u32 i = 0; i < count; i++) {
      if (evtchn_close(ports[i]) != 0) fail("port %u cannot be closed", ports[i]);
    }
    counts[round] = count;
  }
  EXPECT(counts[0] > 4000, "there are only %u", counts[0]);
  EXPECT(counts[0] == counts[1], "%u the first time, %u the second", counts[0], counts[1]);
}

CHECK(store_port, "evtchn", "the xenstore port is bound to domain 0") {
  REQUIRE(xs_init(), "there is no xenstore");
  struct evtchn_status status = status_of(xs_port());
  EXPECT_EQ(status.status, EVTCHNSTAT_interdomain);
  EXPECT_EQ(status.u.interdomain.dom, 0);
}

CHECK(reset_others, "evtchn", "another domain's ports cannot be reset") {
  struct { domid_t dom; } reset = { 1234 };
  long result = evtchn_op(EVTCHNOP_reset, &reset);
  EXPECT(result == -ESRCH || result == -EPERM, "it gives %ld%s", result, error_name(result));
}

CHECK(scribbled, "evtchn", "bits that the guest scribbles harm only the guest") {
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  event_listen(port, NULL, NULL);
  interrupts_off();
  shared_info->evtchn_pending[63] = ~0ull; /* masked all the same */
  __atomic_fetch_or(&cpus[0].vcpu_info->evtchn_pending_sel, ~0ull, __ATOMIC_SEQ_CST);
  EXPECT_EQ(evtchn_send(port), 0);
  events_upcall(); /* Xen raises no upcall for a word whose selector bit is set already */
  interrupts_on();
  EXPECT(event_ports[port].count == 1, "%u events are there", event_ports[port].count);
  shared_info->evtchn_pending[63] = 0;
  EXPECT_EQ(evtchn_send(port), 0);
  EXPECT(WAIT_FOR(event_ports[port].count == 2, PATIENCE), "the next event does not come");
  event_close(port);
}
