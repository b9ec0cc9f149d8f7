/*
 * The 8254: its interrupts by the IOAPIC, and its third counter, by which kernels calibrate their processor's clock. A host
 * may be late, so what is too few or too long proves nothing.
 *
 * [8254] Intel 8254 Programmable Interval Timer, 231164-005
 */
#include "check.h"

#include "../lib/apic.h"
#include "../lib/clock.h"
#include "../lib/idt.h"
#include "../lib/x86.h"

#define CHANNEL0 0x40
#define CHANNEL2 0x42
#define CONTROL 0x43
#define PORT_61 0x61
#define GATE2 0x01
#define SPEAKER 0x02
#define OUT2 0x20
#define PIT_HZ 1193182ul
/* Channel, both bytes, mode. [8254] figure 7 */
#define CHANNEL0_MODE0 0x30
#define CHANNEL0_MODE2 0x34
#define CHANNEL2_MODE0 0xb0
/* IRQ 0 by the MADT's override. */
#define TIMER_PIN 2
#define PATIENCE (10 * SECOND)
/* The host may slew one of two clocks by 500 ppm. */
#define SLEW(ns) ((ns) / 1000)

static volatile u32 ticks;

static void tick(void) {
  ticks++;
  apic_eoi();
}

static void load(u16 port, u8 control, u32 count) {
  outb(CONTROL, control);
  outb(port, (u8)count);
  outb(port, (u8)(count >> 8));
}

static void start(u32 hz) {
  set_handler(VECTOR_DEVICE, tick);
  /* Raises OUT: that edge is none that is counted. */
  outb(CONTROL, CHANNEL0_MODE2);
  ticks = 0;
  ioapic_route(machine.machine.ioapic, TIMER_PIN, VECTOR_DEVICE, cpus[0].apic_id, false);
  load(CHANNEL0, CHANNEL0_MODE2, PIT_HZ / hz);
}

static void stop(void) {
  ioapic_mask(machine.machine.ioapic, TIMER_PIN);
  outb(CONTROL, CHANNEL0_MODE0);
}

CHECK(rate, "pit", "a periodic timer interrupts by the IOAPIC, and not too often") {
  static const u32 rates[] = { 100, 250, 1000 };
  const u32 wanted = 20;
  if (machine.machine.ioapic == 0) return skip("there is no IOAPIC");
  for (u32 i = 0; i < ARRAY_SIZE(rates) && !failed(); i++) {
    u64 begin = now_ns();
    start(rates[i]);
    EXPECT(WAIT_FOR(ticks >= wanted, PATIENCE), "%u interrupts at %u Hz in ten seconds", ticks, rates[i]);
    u32 came = ticks;
    u64 lasted = now_ns() - begin;
    EXPECT((lasted + SLEW(lasted)) * rates[i] / SECOND >= came, "%u interrupts at %u Hz in %lu ns", came, rates[i], lasted);
    stop();
  }
}

CHECK(closed, "pit", "of those that come while interrupts are closed, one is kept") {
  const u32 hz = 20;
  if (machine.machine.ioapic == 0) return skip("there is no IOAPIC");
  start(hz);
  interrupts_off();
  u64 end = now_ns() + 5 * SECOND / hz;
  while (now_ns() < end) pause();
  EXPECT(ticks == 0, "%u come", ticks);
  /* Nothing comes any more but what has been kept. */
  stop();
  interrupts_on();
  EXPECT(WAIT_FOR(ticks != 0, PATIENCE), "none is kept");
  WAIT_FOR(ticks > 1, 20 * MS);
  EXPECT(ticks == 1, "%u are kept", ticks);
}

CHECK(calibration, "pit", "counter 2 ends no count too early, as seen by port 0x61") {
  static const u32 counts[] = { 1193, 11932, 59659, 0x10000 };
  for (u32 i = 0; i < ARRAY_SIZE(counts); i++) {
    outb(PORT_61, (u8)((inb(PORT_61) & ~SPEAKER) | GATE2));
    u64 begin = now_ns();
    load(CHANNEL2, CHANNEL2_MODE0, counts[i]);
    EXPECT((inb(PORT_61) & OUT2) == 0 || now_ns() - begin > MS, "OUT is up at the start of %u", counts[i]);
    while ((inb(PORT_61) & OUT2) == 0) pause();
    u64 lasted = now_ns() - begin;
    EXPECT(lasted + SLEW(lasted) >= counts[i] * SECOND / PIT_HZ, "%u clocks last %lu ns", counts[i], lasted);
  }
}
