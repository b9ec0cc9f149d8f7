/* sched_op: [SCHED] public/sched.h. */
#include "sched.h"

#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"
#include "../lib/x86.h"

#define PATIENCE (20 * SECOND)
#define MAX_POLL_PORTS 128

static long poll(const evtchn_port_t *ports, u32 count, u64 timeout) {
  struct sched_poll request = { .ports = ports, .nr_ports = count, .timeout = timeout };
  return sched_op(SCHEDOP_poll, &request);
}

CHECK(yield, "sched", "yield comes back") { EXPECT_EQ(sched_op(SCHEDOP_yield, NULL), 0); }

CHECK(poll_ready, "sched", "poll returns at once when a port is pending") {
  evtchn_port_t ports[2] = { bind_ipi(cpus[0].xen_id, NULL), bind_ipi(cpus[0].xen_id, NULL) };
  REQUIRE(ports[0] != 0 && ports[1] != 0, "no ports");
  evtchn_send(ports[1]);
  u64 start = now_ns();
  EXPECT_EQ(poll(ports, 2, now_ns() + 10 * SECOND), 0);
  EXPECT(now_ns() - start < 5 * SECOND, "it takes %lu ms", (now_ns() - start) / MS);
  event_close(ports[0]);
  event_close(ports[1]);
}

CHECK(poll_timeout, "sched", "poll returns when its time is over") {
  /* KVM's own SCHEDOP_poll takes the deadline for a duration, so it would sleep as long as the guest has run: a timer's
     port among the polled ones ends that. */
  const u64 guard = 3 * SECOND;
  evtchn_port_t ports[2] = { bind_ipi(cpus[0].xen_id, NULL), bind_virq(VIRQ_TIMER, cpus[0].xen_id, NULL) };
  REQUIRE(ports[0] != 0 && ports[1] != 0, "no ports");
  u64 start = now_ns();
  EXPECT_EQ(set_timer_op(start + guard), 0);
  u32 calls = 0; /* it may come back early, as an event of any kind wakes the vCPU: callers look and poll again */
  while (now_ns() < start + 19 * MS && calls < 1000) {
    REQUIRE_EQ(poll(ports, 2, start + 20 * MS), 0);
    calls++;
  }
  u64 elapsed = now_ns() - start;
  set_timer_op(0);
  EXPECT(calls < 100, "it comes back early %u times", calls);
  EXPECT(elapsed < guard + PATIENCE, "it takes %lu us", elapsed / 1000);
  note("poll with a deadline in 20 ms takes %lu us and %u calls", elapsed / 1000, calls);
  event_close(ports[0]);
  event_close(ports[1]);
}

static void send_later(void *argument) {
  WAIT_FOR(false, 20 * MS);
  evtchn_send(*(evtchn_port_t *)argument);
}

void expect_poll_wakes(void) {
  if (cpu_count < 2) return skip("there is one CPU");
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  REQUIRE(port != 0 && event_masked(port), "no masked port");
  u64 start = now_ns();
  cpu_run(&cpus[1], send_later, &port);
  /* It may come back early, and does so at once where KVM makes a yield of it. */
  do {
    EXPECT_EQ(poll(&port, 1, start + PATIENCE), 0);
  } while (!failed() && !event_pending(port) && now_ns() < start + PATIENCE);
  u64 elapsed = now_ns() - start;
  EXPECT(event_pending(port), "the port is not pending after %lu us", elapsed / 1000);
  EXPECT(elapsed < PATIENCE / 2, "it takes %lu ms", elapsed / MS);
  cpu_wait(&cpus[1], PATIENCE);
  event_close(port);
}

CHECK(poll_wake, "sched", "poll returns when another vCPU sends to a masked port") { expect_poll_wakes(); }

CHECK(poll_many, "sched", "poll takes 128 ports and no more") {
  static evtchn_port_t ports[MAX_POLL_PORTS + 1];
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  for (u32 i = 0; i < ARRAY_SIZE(ports); i++) ports[i] = port;
  evtchn_send(port);
  EXPECT_EQ(poll(ports, MAX_POLL_PORTS, now_ns() + SECOND), 0);
  EXPECT_EQ(poll(ports, MAX_POLL_PORTS + 1, now_ns() + SECOND), -EINVAL);
  EXPECT_EQ(poll(ports, 0xffffffff, now_ns() + SECOND), -EINVAL);
  event_close(port);
}

CHECK(poll_bad, "sched", "poll refuses bad ports and pointers") {
  static const evtchn_port_t bad[] = { EVTCHN_2L_NR_CHANNELS, 0x80000000, 0xffffffff };
  u64 deadline = now_ns() + 100 * MS;
  for (u32 i = 0; i < ARRAY_SIZE(bad); i++) EXPECT_EQ(poll(&bad[i], 1, deadline), -EINVAL);
  /* Not with addresses that are not canonical: KVM, which may answer itself, does not look at their upper bits. */
  EXPECT_EQ(poll(probe(PROBE_HOLE, 0), 1, deadline), -EFAULT);
  EXPECT_EQ(poll(probe(PROBE_SECOND, PAGE_SIZE - 4), 2, deadline), -EFAULT);
  EXPECT_EQ(sched_op(SCHEDOP_poll, probe(PROBE_HOLE, 0)), -EFAULT);
}

CHECK(block, "sched", "block returns when an event comes") {
  evtchn_port_t port = bind_virq(VIRQ_TIMER, cpus[0].xen_id, NULL);
  REQUIRE(port != 0, "no port");
  event_listen(port, NULL, NULL);
  u64 start = now_ns();
  EXPECT_EQ(set_timer_op(start + 20 * MS), 0);
  EXPECT_EQ(sched_op(SCHEDOP_block, NULL), 0);
  u64 elapsed = now_ns() - start;
  EXPECT(elapsed < PATIENCE, "it takes %lu ms", elapsed / MS);
  EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "the timer does not fire");
  event_close(port);
}

CHECK(watchdog, "sched", "a watchdog is set, renewed and taken down") {
  struct sched_watchdog watchdog = { .id = 0, .timeout = 60 };
  long id = sched_op(SCHEDOP_watchdog, &watchdog);
  REQUIRE(id > 0, "it gives %ld%s", id, error_name(id));
  watchdog.id = (u32)id;
  EXPECT_EQ(sched_op(SCHEDOP_watchdog, &watchdog), 0);
  watchdog.timeout = 0;
  EXPECT_EQ(sched_op(SCHEDOP_watchdog, &watchdog), 0);
  watchdog = (struct sched_watchdog){ .id = 4000, .timeout = 60 };
  EXPECT(sched_op(SCHEDOP_watchdog, &watchdog) < 0, "watchdog 4000 was renewed");
}

CHECK(remote_shutdown, "sched", "other domains cannot be shut down") {
  struct sched_remote_shutdown request = { .domain_id = 1234, .reason = SHUTDOWN_poweroff };
  long result = sched_op(SCHEDOP_remote_shutdown, &request);
  EXPECT(result == -EPERM || result == -ESRCH, "it gives %ld%s", result, error_name(result));
}

CHECK(sched_bad, "sched", "shutdown needs a readable reason; unknown commands give ENOSYS") {
  EXPECT_EQ(sched_op(SCHEDOP_shutdown, probe(PROBE_HOLE, 0)), -EFAULT);
  u64 argument = 0;
  EXPECT_EQ(sched_op(99, &argument), -ENOSYS);
}
