/* Event channels in bitmaps of 32 words of 32 bits, and what waits for them. */
#include "compat.h"

#include "../lib/string.h"

#define PATIENCE_MS 10000
#define VIRQ_OF_CPU 0

static struct vcpu_info *vcpu_info;

static evtchn_port_t loopback(evtchn_port_t *other) {
  struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
  if (evtchn_op(EVTCHNOP_alloc_unbound, &alloc) != 0) return 0;
  struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF, .remote_port = alloc.port };
  if (evtchn_op(EVTCHNOP_bind_interdomain, &bind) != 0) return 0;
  *other = bind.local_port;
  return alloc.port;
}

/* Opens `port` and takes away what is left of others. */
static void listen(evtchn_port_t port) {
  event_set_bit(shared_info->evtchn_pending, port, false);
  vcpu_info->evtchn_pending_sel = 0;
  vcpu_info->evtchn_upcall_pending = 0;
  event_set_bit(shared_info->evtchn_mask, port, false);
}

/* True when `port`, and nothing else, has been raised: in the bitmap, in its selector, in the upcall flag. */
static bool raised(evtchn_port_t port) {
  return event_bit(shared_info->evtchn_pending, port) && vcpu_info->evtchn_pending_sel == 1ul << port / 32 &&
         READ_ONCE(vcpu_info->evtchn_upcall_pending) == 1;
}

evtchn_port_t timer_port(void) {
  static evtchn_port_t port;
  struct evtchn_bind_virq bind = { .virq = VIRQ_TIMER, .vcpu = VIRQ_OF_CPU };
  if (port == 0 && evtchn_op(EVTCHNOP_bind_virq, &bind) == 0) port = bind.port;
  return port;
}

CHECK(first_info, "compat", "vcpu_info 0 and the wall clock are where a 32-bit guest looks for them") {
  vcpu_info = &shared_info->vcpu_info[0];
  EXPECT(shared_info->wc_sec > 1600000000u, "the wall clock says %lu s", (unsigned long)shared_info->wc_sec);
  EXPECT_EQ(shared_info->wc_sec_hi, 0);
  EXPECT(WAIT_FOR(vcpu_info->time.tsc_to_system_mul != 0, PATIENCE_MS), "vcpu_info has no clock");
}

CHECK(many_ports, "compat", "there are 1023 ports, and each has its bit in a 32-bit word") {
  static evtchn_port_t ports[EVTCHN_2L_NR_CHANNELS];
  u32 count = 0;
  long result = 0;
  while (count < EVTCHN_2L_NR_CHANNELS) {
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    result = evtchn_op(EVTCHNOP_alloc_unbound, &alloc);
    if (result != 0) break;
    ports[count++] = alloc.port;
  }
  EXPECT_EQ(result, -ENOSPC);
  REQUIRE(count > 1000 && ports[count - 1] == 1023, "%u ports, the last is %u", count, ports[count - 1]);
  evtchn_close(ports[count - 2]);
  struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF, .remote_port = 1023 };
  REQUIRE_EQ(evtchn_op(EVTCHNOP_bind_interdomain, &bind), 0);
  listen(1023);
  EXPECT_EQ(evtchn_send(bind.local_port), 0);
  EXPECT(raised(1023), "it was not raised: selector 0x%lx", vcpu_info->evtchn_pending_sel);
  event_set_bit(shared_info->evtchn_mask, 1023, true);
  for (u32 i = 0; i < count; i++) evtchn_close(ports[i]);
  evtchn_close(bind.local_port);
  EXPECT_EQ(evtchn_send(1024), -EINVAL);
}

CHECK(unmask, "compat", "an event behind a mask comes when that is lifted") {
  evtchn_port_t other = 0, port = loopback(&other);
  REQUIRE(port != 0, "no loopback");
  listen(port);
  event_set_bit(shared_info->evtchn_mask, port, true);
  EXPECT_EQ(evtchn_send(other), 0);
  EXPECT(event_bit(shared_info->evtchn_pending, port) && vcpu_info->evtchn_upcall_pending == 0, "the mask does not hold");
  EXPECT_EQ(evtchn_unmask(port), 0);
  EXPECT(raised(port), "it did not come");
  struct evtchn_status status = { .dom = DOMID_SELF, .port = port };
  EXPECT_EQ(evtchn_op(EVTCHNOP_status, &status), 0);
  EXPECT_EQ(status.status, EVTCHNSTAT_interdomain);
  EXPECT_EQ(status.u.interdomain.port, other);
  evtchn_close(port);
  evtchn_close(other);
}

CHECK(singleshot, "compat", "a singleshot timer takes 12 bytes and raises its port") {
  u64 now = 0;
  REQUIRE(timer_port() != 0, "VIRQ_TIMER cannot be bound");
  listen(timer_port());
  hvm_op(HVMOP_get_time, &now);
  struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = now + 2000000 };
  REQUIRE_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
  EXPECT(WAIT_FOR(raised(timer_port()), PATIENCE_MS), "it did not");
}

CHECK(set_timer_op, "compat", "set_timer_op takes its time in two words") {
  u64 now = 0;
  listen(timer_port());
  hvm_op(HVMOP_get_time, &now);
  now += 2000000;
  REQUIRE_EQ(hypercall2(HYPERVISOR_set_timer_op, (u32)now, now >> 32), 0);
  EXPECT(WAIT_FOR(raised(timer_port()), PATIENCE_MS), "the timer is silent");
  /* Half a minute from now, were the high word not looked at. */
  listen(timer_port());
  REQUIRE_EQ(hypercall2(HYPERVISOR_set_timer_op, (u32)now, (now >> 32) + 8), 0);
  u32 start = now_ms();
  while (now_ms() - start < 20) sched_op(SCHEDOP_yield, NULL);
  EXPECT(!event_bit(shared_info->evtchn_pending, timer_port()), "it went off too early");
  EXPECT_EQ(hypercall2(HYPERVISOR_set_timer_op, 0, 0), 0);
}

CHECK(poll, "compat", "poll takes a list by a 32-bit pointer, and ends at its timeout") {
  evtchn_port_t other = 0, port = loopback(&other);
  REQUIRE(port != 0, "no loopback");
  listen(port);
  event_set_bit(shared_info->evtchn_mask, port, true);
  EXPECT_EQ(evtchn_send(other), 0);
  struct sched_poll poll = { .ports = &port, .nr_ports = 1 };
  EXPECT_EQ(sched_op(SCHEDOP_poll, &poll), 0);
  event_set_bit(shared_info->evtchn_pending, port, false);
  hvm_op(HVMOP_get_time, &poll.timeout);
  poll.timeout += 3000000;
  EXPECT_EQ(sched_op(SCHEDOP_poll, &poll), 0);
  evtchn_close(port);
  evtchn_close(other);
}

CHECK(own_vcpu_info, "compat", "vcpu_info moves to a place of its own, at any multiple of 4, with everything pending") {
  static u8 page[PAGE_SIZE] PAGE_ALIGNED;
  struct vcpu_register_vcpu_info registration = { .mfn = frame_of(page), .offset = 0x104 };
  vcpu_info->cr2 = 0x1234567;
  REQUIRE_EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, &registration), 0);
  vcpu_info = (struct vcpu_info *)(page + registration.offset);
  EXPECT_EQ(vcpu_info->cr2, 0x1234567);
  EXPECT_EQ(vcpu_info->evtchn_pending_sel, ~0ul);
  EXPECT_EQ(vcpu_info->evtchn_upcall_pending, 1);
  EXPECT(WAIT_FOR(vcpu_info->time.tsc_to_system_mul != 0, PATIENCE_MS), "it has no clock");
  listen(timer_port());
  u64 now = 0;
  hvm_op(HVMOP_get_time, &now);
  struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = now + 2000000 };
  REQUIRE_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
  EXPECT(WAIT_FOR(raised(timer_port()), PATIENCE_MS), "the timer raises nothing there");
}
