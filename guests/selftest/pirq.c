/*
 * Interrupt lines as event channels: [PHYS] public/physdev.h. The line driven here is the real-time clock's (GSI 8), by
 * its periodic interrupt ([MC146818A] registers A, B and C).
 */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"
#include "../lib/x86.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define RTC_A 0x0a
#define RTC_A_32768_HZ 0x20 /* the crystal's divider */
#define RTC_A_256_HZ 0x08
#define RTC_B 0x0b
#define RTC_B_PERIODIC 0x40
#define RTC_C 0x0c
#define RTC_GSI 8
#define PATIENCE (5 * SECOND)
#define GSIS 24

static long map_gsi(int gsi, int pirq, int *mapped) {
  struct physdev_map_pirq map = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = gsi, .pirq = pirq };
  long result = physdev_op(PHYSDEVOP_map_pirq, &map);
  *mapped = map.pirq;
  return result;
}

static long unmap(int pirq) {
  struct physdev_unmap_pirq unmap = { .domid = DOMID_SELF, .pirq = pirq };
  return physdev_op(PHYSDEVOP_unmap_pirq, &unmap);
}

static u8 cmos_read(u8 index) {
  outb(CMOS_INDEX, index);
  return inb(CMOS_DATA);
}

static void cmos_write(u8 index, u8 value) {
  outb(CMOS_INDEX, index);
  outb(CMOS_DATA, value);
}

CHECK(map_gsi, "pirq", "a GSI is mapped to a PIRQ, once, and unmapped") {
  int pirq, second;
  REQUIRE_EQ(map_gsi(5, -1, &pirq), 0);
  EXPECT(pirq >= 16 && pirq < 256, "PIRQ %d is allocated", pirq);
  long again = map_gsi(5, pirq, &second);
  EXPECT(again == 0 || again == -EBUSY || again == -EEXIST, "mapping it again gives %ld%s", again, error_name(again));
  EXPECT_EQ(unmap(pirq), 0);
  EXPECT_EQ(unmap(pirq), 0);
  u32 gone = (u32)pirq;
  EXPECT_EQ(physdev_op(PHYSDEVOP_eoi, &gone), -EINVAL);
}

CHECK(map_bad, "pirq", "lines, numbers, types and domains out of range are refused") {
  int pirq;
  EXPECT_EQ(map_gsi(GSIS, -1, &pirq), -EINVAL);
  EXPECT_EQ(map_gsi(-1, -1, &pirq), -EINVAL);
  EXPECT(map_gsi(5, 100000, &pirq) < 0, "PIRQ 100000 was mapped");
  struct physdev_map_pirq map = { .domid = DOMID_SELF, .type = 99, .index = 5, .pirq = -1 };
  EXPECT_EQ(physdev_op(PHYSDEVOP_map_pirq, &map), -EINVAL);
  map = (struct physdev_map_pirq){ .domid = 1234, .type = MAP_PIRQ_TYPE_GSI, .index = 5, .pirq = -1 };
  long other = physdev_op(PHYSDEVOP_map_pirq, &map);
  EXPECT(other == -EPERM || other == -ESRCH, "another domain gives %ld%s", other, error_name(other));
  EXPECT(unmap(-1) == 0 && unmap(200) == 0 && unmap(0x7fffffff) == 0, "a PIRQ that is not mapped is no PIRQ to unmap");
  EXPECT_EQ(physdev_op(PHYSDEVOP_map_pirq, NON_CANONICAL), -EFAULT);
}

CHECK(free_pirq, "pirq", "free PIRQs are given out for MSIs") {
  struct physdev_get_free_pirq request = { .type = MAP_PIRQ_TYPE_MSI };
  REQUIRE_EQ(physdev_op(PHYSDEVOP_get_free_pirq, &request), 0);
  EXPECT(request.pirq >= 16 && request.pirq < 256, "it is %u", request.pirq);
  unmap((int)request.pirq);
}

CHECK(eoi_bad, "pirq", "eoi and status of numbers out of range are refused") {
  u32 irq = 0x7fffffff;
  struct physdev_irq_status_query query = { .irq = 0xffffffff };
  EXPECT_EQ(physdev_op(PHYSDEVOP_eoi, &irq), -EINVAL);
  EXPECT_EQ(physdev_op(PHYSDEVOP_irq_status_query, &query), -EINVAL);
  EXPECT_EQ(physdev_op(PHYSDEVOP_eoi, NON_CANONICAL), -EFAULT);
}

CHECK(unknown_physdev_op, "pirq", "an unknown command gives ENOSYS") {
  u64 argument = 0;
  EXPECT_EQ(physdev_op(99, &argument), -ENOSYS);
}

CHECK(bind_bad, "pirq", "an event channel for a PIRQ that is out of range or bound is refused") {
  struct evtchn_bind_pirq bind = { .pirq = 0x7fffffff };
  EXPECT_EQ(evtchn_op(EVTCHNOP_bind_pirq, &bind), -EINVAL);
  int pirq;
  REQUIRE_EQ(map_gsi(5, -1, &pirq), 0);
  bind = (struct evtchn_bind_pirq){ .pirq = (u32)pirq };
  REQUIRE_EQ(evtchn_op(EVTCHNOP_bind_pirq, &bind), 0);
  evtchn_port_t port = bind.port;
  long again = evtchn_op(EVTCHNOP_bind_pirq, &bind);
  EXPECT(again == -EBUSY || again == -EEXIST, "bound twice: %ld%s", again, error_name(again));
  struct evtchn_status status = { .dom = DOMID_SELF, .port = port };
  EXPECT_EQ(evtchn_op(EVTCHNOP_status, &status), 0);
  EXPECT_EQ(status.status, EVTCHNSTAT_pirq);
  EXPECT_EQ(status.u.pirq, pirq);
  event_close(port);
  unmap(pirq);
}

static void end_interrupt(evtchn_port_t port UNUSED, void *argument) {
  u32 pirq = (u32)(uintptr_t)argument;
  cmos_read(RTC_C); /* takes the reason away, and lowers the line */
  physdev_op(PHYSDEVOP_eoi, &pirq);
}

CHECK(line_event, "pirq", "a device's interrupt line arrives as events") {
  int pirq;
  REQUIRE_EQ(map_gsi(RTC_GSI, -1, &pirq), 0);
  struct physdev_irq_status_query query = { .irq = (u32)pirq };
  EXPECT_EQ(physdev_op(PHYSDEVOP_irq_status_query, &query), 0);
  struct evtchn_bind_pirq bind = { .pirq = (u32)pirq };
  REQUIRE_EQ(evtchn_op(EVTCHNOP_bind_pirq, &bind), 0);
  event_listen(bind.port, end_interrupt, (void *)(uintptr_t)pirq);
  u8 b = cmos_read(RTC_B);
  cmos_read(RTC_C);
  cmos_write(RTC_A, RTC_A_32768_HZ | RTC_A_256_HZ);
  cmos_write(RTC_B, b | RTC_B_PERIODIC);
  EXPECT(WAIT_FOR(event_ports[bind.port].count >= 3, PATIENCE), "%u events come", event_ports[bind.port].count);
  cmos_write(RTC_B, b & ~RTC_B_PERIODIC);
  cmos_read(RTC_C);
  event_close(bind.port);
  unmap(pirq);
}
