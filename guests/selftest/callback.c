/*
 * How event channels reach the guest: polled, by an interrupt line, by the global vector, by a vector of each vCPU's own
 * local APIC. The last, once chosen, cannot be given up, so it comes last.
 */
#include "check.h"

#include "../lib/apic.h"
#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/pci.h"
#include "../lib/x86.h"
#include "sched.h"

#define PATIENCE (10 * SECOND)
#define ROUNDS 5
#define ISA_LINES 16

/* Sends `ROUNDS` events to a port on `cpu`, one after another, and expects each to be taken there by `vector`. */
static void expect_upcalls(u32 cpu, u8 vector, const char *way) {
  evtchn_port_t port = bind_ipi(cpus[cpu].xen_id, NULL);
  REQUIRE(port != 0, "no port for vCPU %u", cpus[cpu].xen_id);
  event_listen(port, NULL, NULL);
  u32 before = upcalls_by_vector[vector];
  for (u32 i = 1; i <= ROUNDS; i++) {
    evtchn_send(port);
    if (!WAIT_FOR(event_ports[port].count >= i, PATIENCE)) {
      fail("event %u to CPU %u does not come by %s (pending %u, upcall %u)", i, cpu, way, event_pending(port),
           cpus[cpu].vcpu_info->evtchn_upcall_pending);
      break;
    }
    EXPECT(event_ports[port].cpu == cpu, "it reaches CPU %u, not %u", event_ports[port].cpu, cpu);
  }
  EXPECT(event_ports[port].count <= ROUNDS, "%u events come of %u", event_ports[port].count, ROUNDS);
  EXPECT(failed() || upcalls_by_vector[vector] > before, "they do not come by %s", way);
  event_close(port);
}

CHECK(no_callback, "callback", "without a callback an event only becomes pending") {
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  REQUIRE(port != 0, "no port");
  event_listen(port, NULL, NULL);
  EXPECT_EQ(evtchn_send(port), 0);
  EXPECT(event_pending(port), "it is not pending");
  EXPECT(cpus[0].vcpu_info->evtchn_upcall_pending, "evtchn_upcall_pending is not set");
  EXPECT(event_ports[port].count == 0, "it is taken");
  events_upcall();
  EXPECT(event_ports[port].count == 1 && !event_pending(port), "it cannot be taken by hand");
  event_close(port);
}

CHECK(no_callback_poll, "callback", "without a callback a poll ends when another vCPU sends") { expect_poll_wakes(); }

CHECK(gsi, "callback", "events of vCPU 0 come by a GSI") {
  const u32 gsi = 7; /* the parallel port's: nobody else drives it */
  if (machine.machine.ioapic == 0) return skip("there is no IOAPIC");
  ioapic_route(machine.machine.ioapic, gsi, VECTOR_GSI, cpus[0].apic_id, true);
  long result = hvm_set_param(HVM_PARAM_CALLBACK_IRQ, CALLBACK_VIA_GSI(gsi));
  EXPECT(result == 0, "set_param gives %ld%s", result, error_name(result));
  if (result == 0) expect_upcalls(0, VECTOR_GSI, "GSI");
  if (result == 0) expect_poll_wakes();
  EXPECT_EQ(hvm_set_param(HVM_PARAM_CALLBACK_IRQ, 0), 0);
  ioapic_mask(machine.machine.ioapic, gsi);
}

CHECK(intx, "callback", "events of vCPU 0 come by the platform device's interrupt pin") {
  int devfn = pci_find(XEN_PLATFORM_ID);
  if (devfn < 0 || machine.machine.ioapic == 0) return skip("there is no Xen platform device or no IOAPIC");
  u32 line = pci_read8((u32)devfn, PCI_INTERRUPT_LINE);
  u32 pin = pci_read8((u32)devfn, PCI_INTERRUPT_PIN);
  REQUIRE(pin == 1 && line > 0 && line < ISA_LINES, "its pin is %u, its line %u", pin, line);
  ioapic_route(machine.machine.ioapic, line, VECTOR_GSI, cpus[0].apic_id, true);
  long result = hvm_set_param(HVM_PARAM_CALLBACK_IRQ, CALLBACK_VIA_PCI(devfn, pin - 1));
  EXPECT(result == 0, "set_param gives %ld%s", result, error_name(result));
  if (result == 0) expect_upcalls(0, VECTOR_GSI, "INTx");
  EXPECT_EQ(hvm_set_param(HVM_PARAM_CALLBACK_IRQ, 0), 0);
  ioapic_mask(machine.machine.ioapic, line);
}

CHECK(global_vector, "callback", "events of every vCPU come by the global vector, and need no EOI") {
  REQUIRE_EQ(hvm_set_param(HVM_PARAM_CALLBACK_IRQ, CALLBACK_VIA_VECTOR(VECTOR_GLOBAL)), 0);
  for (u32 cpu = 0; cpu < cpu_count && !failed(); cpu++) expect_upcalls(cpu, VECTOR_GLOBAL, "the global vector");
}

CHECK(upcall_vectors, "callback", "events of every vCPU come by a vector of its own") {
  REQUIRE_EQ(use_upcall_vectors(), 0);
  for (u32 cpu = 0; cpu < cpu_count && !failed(); cpu++) expect_upcalls(cpu, VECTOR_UPCALL, "its vector");
}

/* As the CPU of an operating system is when another one brings it up. */
CHECK(apic_off, "callback", "an event that comes while the local APIC is off is told of when it is on again") {
  REQUIRE_EQ(use_upcall_vectors(), 0);
  evtchn_port_t port = bind_ipi(cpus[0].xen_id, NULL);
  REQUIRE(port != 0, "no port");
  event_listen(port, NULL, NULL);
  for (u32 round = 1; round <= ROUNDS && !failed(); round++) {
    u32 lint0 = apic_off();
    EXPECT_EQ(evtchn_send(port), 0);
    apic_on(lint0);
    EXPECT(WAIT_FOR(event_ports[port].count == round, PATIENCE), "event %u does not come", round);
  }
  event_close(port);
}

static volatile bool deaf;

static void turn_deaf(void *unused) {
  (void)unused;
  interrupts_off();
  deaf = true;
  for (;;) pause();
}

CHECK(apic_init, "callback", "an event whose vector INIT takes from the local APIC is told of when that is on again") {
  if (cpu_count < 2) return skip("there is one CPU");
  REQUIRE_EQ(use_upcall_vectors(), 0);
  evtchn_port_t port = bind_ipi(cpus[1].xen_id, NULL);
  REQUIRE(port != 0, "no port");
  event_listen(port, NULL, NULL);
  for (u32 round = 1; round <= ROUNDS && !failed(); round++) {
    deaf = false;
    cpu_run(&cpus[1], turn_deaf, NULL);
    REQUIRE(WAIT_FOR(deaf, PATIENCE), "CPU 1 does not answer");
    EXPECT_EQ(evtchn_send(port), 0);
    REQUIRE(smp_start_one(1, PATIENCE), "CPU 1 does not come up again");
    EXPECT(WAIT_FOR(event_ports[port].count == round, PATIENCE), "event %u does not come", round);
  }
  event_close(port);
}
