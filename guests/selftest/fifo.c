/* FIFO event channels: [EVTCHN] public/event_channel.h. The group switches over, and back at its end. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/fifo.h"
#include "../lib/x86.h"
#include "../lib/xs.h"

#define PATIENCE (20 * SECOND)
#define STORM 200

static evtchn_port_t order[8];
static volatile u32 taken;

static void note_order(evtchn_port_t port, void *argument UNUSED) {
  if (taken < ARRAY_SIZE(order)) order[taken] = port;
  taken++;
}

CHECK(fifo_errors, "fifo", "control blocks and arrays that cannot be are refused") {
  struct evtchn_expand_array expand = { .array_gfn = 1 };
  struct evtchn_init_control odd = { .control_gfn = 1, .offset = 4 };
  struct evtchn_init_control late = { .control_gfn = 1, .offset = 4032 };
  struct evtchn_init_control nowhere = { .control_gfn = 0xfe000 };
  struct evtchn_init_control nobody = { .control_gfn = 1, .vcpu = 4000 };
  EXPECT_EQ(evtchn_op(EVTCHNOP_init_control, &nobody), -ENOENT);
  EXPECT_EQ(evtchn_op(EVTCHNOP_init_control, &odd), -EINVAL);
  EXPECT_EQ(evtchn_op(EVTCHNOP_init_control, &late), -EINVAL);
  EXPECT_EQ(evtchn_op(EVTCHNOP_init_control, &nowhere), -EINVAL);
  EXPECT_EQ(evtchn_op(EVTCHNOP_expand_array, &expand), -EOPNOTSUPP);
}

CHECK(fifo_switch, "fifo", "every vCPU gets its control block") { EXPECT_EQ(fifo_switch(), 0); }

CHECK(fifo_once, "fifo", "a control block is set up once") {
  REQUIRE(fifo_active, "there are no FIFO channels");
  struct evtchn_init_control again = { .control_gfn = 1, .vcpu = cpus[0].xen_id };
  EXPECT_EQ(evtchn_op(EVTCHNOP_init_control, &again), -EINVAL);
}

struct burst {
  evtchn_port_t port;
  bool lost;
};

static void send_burst(void *argument) {
  struct burst *burst = argument;
  for (u32 i = 1; i <= STORM && !burst->lost; i++) {
    evtchn_send(burst->port);
    burst->lost = !WAIT_FOR(event_ports[burst->port].count >= i, PATIENCE);
  }
}

CHECK(fifo_pairs, "fifo", "events between all pairs of vCPUs arrive, each once") {
  REQUIRE(fifo_active, "there are no FIFO channels");
  for (u32 from = 0; from < cpu_count; from++) {
    for (u32 to = 0; to < cpu_count; to++) {
      struct burst burst = { .port = bind_ipi(cpus[to].xen_id, NULL) };
      REQUIRE(burst.port != 0, "no port for CPU %u", to);
      event_listen(burst.port, NULL, NULL);
      if (from == 0) send_burst(&burst);
      else {
        cpu_run(&cpus[from], send_burst, &burst);
        REQUIRE(cpu_wait(&cpus[from], PATIENCE), "CPU %u does not come back", from);
      }
      EXPECT(!burst.lost && event_ports[burst.port].count == STORM, "CPU %u to %u: %u of %u", from, to,
             event_ports[burst.port].count, STORM);
      EXPECT(event_ports[burst.port].cpu == to, "one came to CPU %u, not %u", event_ports[burst.port].cpu, to);
      event_close(burst.port);
    }
  }
}

CHECK(fifo_order, "fifo", "events come in the order of sending, those of higher priority first") {
  REQUIRE(fifo_active, "there are no FIFO channels");
  evtchn_port_t ports[4];
  for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
    ports[i] = bind_ipi(cpus[0].xen_id, NULL);
    event_listen(ports[i], note_order, NULL);
  }
  EXPECT_EQ(fifo_set_priority(ports[3], 2), 0);
  EXPECT_EQ(fifo_set_priority(ports[3], 16), -EINVAL);
  taken = 0;
  interrupts_off();
  static const u8 sends[] = { 2, 0, 1, 2, 3 };
  for (u32 i = 0; i < ARRAY_SIZE(sends); i++) EXPECT_EQ(evtchn_send(ports[sends[i]]), 0);
  interrupts_on();
  EXPECT(WAIT_FOR(taken >= 4, PATIENCE), "%u of 4 come", taken);
  EXPECT(taken == 4 && order[0] == ports[3] && order[1] == ports[2] && order[2] == ports[0] && order[3] == ports[1],
         "%u come, as %u %u %u %u", taken, order[0], order[1], order[2], order[3]);
  for (u32 i = 0; i < ARRAY_SIZE(ports); i++) event_close(ports[i]);
}

CHECK(fifo_masking, "fifo", "a masked event stays pending and comes when it is unmasked") {
  REQUIRE(fifo_active, "there are no FIFO channels");
  evtchn_port_t port = bind_ipi(cpus[cpu_count - 1].xen_id, NULL);
  REQUIRE(port != 0 && event_masked(port), "the port is not there, or not masked");
  EXPECT_EQ(evtchn_send(port), 0);
  EXPECT(event_pending(port) && event_ports[port].count == 0, "%u came", event_ports[port].count);
  EXPECT_EQ(evtchn_unmask(port), 0);
  EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "it comes %u times", event_ports[port].count);
  event_close(port);
}

CHECK(fifo_many, "fifo", "there are more ports than bitmaps have") {
  REQUIRE(fifo_active, "there are no FIFO channels");
  static evtchn_port_t ports[EVENT_PORTS];
  u32 count = 0;
  while (count < EVTCHN_2L_NR_CHANNELS + 100 && (ports[count] = bind_ipi(cpus[0].xen_id, NULL)) != 0) count++;
  evtchn_port_t last = ports[count - 1];
  EXPECT(last > EVTCHN_2L_NR_CHANNELS, "the last of %u is %u", count, last);
  event_listen(last, NULL, NULL);
  EXPECT_EQ(evtchn_send(last), 0);
  EXPECT(WAIT_FOR(event_ports[last].count == 1, PATIENCE), "port %u: %u events", last, event_ports[last].count);
  while (count > 0) event_close(ports[--count]);
}

CHECK(fifo_timer, "fifo", "the timer's interrupt comes") {
  REQUIRE(fifo_active, "there are no FIFO channels");
  evtchn_port_t port = bind_virq(VIRQ_TIMER, cpus[0].xen_id, NULL);
  REQUIRE(port != 0, "VIRQ_TIMER cannot be bound");
  event_listen(port, NULL, NULL);
  EXPECT_EQ(set_timer_op(now_ns() + 5 * MS), 0);
  EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "%u come", event_ports[port].count);
  event_close(port);
}

CHECK(fifo_poll, "fifo", "SCHEDOP_poll sees a port that is pending, masked or not") {
  REQUIRE(fifo_active, "there are no FIFO channels");
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  EXPECT_EQ(evtchn_send(port), 0);
  struct sched_poll poll = { .ports = &port, .nr_ports = 1, .timeout = now_ns() + 60 * SECOND };
  u64 before = now_ns();
  EXPECT_EQ(sched_op(SCHEDOP_poll, &poll), 0);
  EXPECT(now_ns() - before < 30 * SECOND, "it sleeps until the timeout");
  event_close(port);
}

CHECK(fifo_store, "fifo", "xenstore answers") {
  char value[32];
  REQUIRE(xs_init(), "there is no xenstore");
  long length = xs_read(0, "domid", value, sizeof value);
  EXPECT(length > 0, "the domain's id cannot be read: %ld", length);
}

CHECK(fifo_leave, "fifo", "a reset of all channels brings the bitmaps back") {
  REQUIRE(fifo_active, "there are no FIFO channels");
  EXPECT_EQ(fifo_leave(), 0);
  evtchn_port_t port = bind_ipi(cpus[cpu_count - 1].xen_id, NULL);
  REQUIRE(port != 0, "no IPI can be bound");
  event_listen(port, NULL, NULL);
  EXPECT_EQ(evtchn_send(port), 0);
  EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "%u events", event_ports[port].count);
  event_close(port);
}
