/*
 * Interrupts of a PCI device by line, by message, and by a message that stands for a PIRQ: [PCI] Local Bus Specification
 * 3.0, 6.8.1; [MSI_PIRQ] linux.git arch/x86/pci/xen.c. The device is QEMU's educational one, where there is one.
 */
#include "check.h"

#include "../lib/apic.h"
#include "../lib/clock.h"
#include "../lib/edu.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define PATIENCE (10 * SECOND)
/* Long enough for an interrupt that must not come. */
#define A_WHILE (20 * MS)
#define ROUNDS 5

/* The MSI capability with 64-bit addresses and masks, as offsets from its start. */
enum { MSI_CONTROL = 0, MSI_LOW = 4, MSI_HIGH = 8, MSI_DATA = 12, MSI_MASK = 16, MSI_PENDING = 20 };
#define MSI_ENABLE (1u << 16) /* of the dword that ends in the control register */
#define APIC_WINDOW 0xfee00000u
#define STATUS_INTERRUPT 0x00080000u /* of the dword of command and status */

static struct edu edu;
static volatile u32 interrupts;

static void taken(void) {
  edu_write(&edu, EDU_ACKNOWLEDGE, 0xffffffff);
  interrupts++;
  apic_eoi();
}

static bool have_edu(void) {
  if (edu_open(&edu)) return true;
  skip("there is no educational device");
  return false;
}

static void program(u32 msi, u32 low, u32 high, u32 data) {
  pci_write32(edu.devfn, msi + MSI_LOW, low);
  pci_write32(edu.devfn, msi + MSI_HIGH, high);
  pci_write32(edu.devfn, msi + MSI_DATA, data);
  pci_write32(edu.devfn, msi + MSI_MASK, 0);
  pci_write32(edu.devfn, msi + MSI_CONTROL, MSI_ENABLE);
}

static void expect_interrupts(const char *way) {
  for (u32 i = 1; i <= ROUNDS && !failed(); i++) {
    edu_write(&edu, EDU_RAISE, i);
    EXPECT(WAIT_FOR(interrupts >= i, PATIENCE), "interrupt %u does not come by %s", i, way);
  }
  EXPECT(interrupts <= ROUNDS, "%u interrupts come of %u", interrupts, ROUNDS);
}

CHECK(edu_registers, "message", "the educational device knows itself, inverts and multiplies") {
  if (!have_edu()) return;
  EXPECT_EQ(edu_read(&edu, EDU_IDENTIFICATION), EDU_IDENTITY);
  edu_write(&edu, EDU_LIVENESS, 0x12345678);
  EXPECT_EQ(edu_read(&edu, EDU_LIVENESS), 0xedcba987);
  edu_write(&edu, EDU_FACTORIAL, 10);
  EXPECT(WAIT_FOR((edu_read(&edu, EDU_STATUS) & 1) == 0, PATIENCE), "it is still computing");
  EXPECT_EQ(edu_read(&edu, EDU_FACTORIAL), 3628800);
}

CHECK(edu_dma, "message", "it moves data between its buffer and memory") {
  static u8 from[256] __attribute__((aligned(256))), to[256] __attribute__((aligned(256)));
  if (!have_edu()) return;
  for (u32 i = 0; i < sizeof from; i++) from[i] = (u8)(i * 7 + 1);
  memset(to, 0, sizeof to);
  EXPECT(edu_transfer(&edu, address_of(from), EDU_BUFFER + 256, sizeof from, 0), "it does not come to an end");
  EXPECT(edu_transfer(&edu, EDU_BUFFER + 256, address_of(to), sizeof to, EDU_DMA_TO_RAM), "the way back does not end");
  EXPECT(memcmp(from, to, sizeof to) == 0, "the data is another");
  memset(to, 0xaa, sizeof to);
  edu_transfer(&edu, EDU_BUFFER + EDU_BUFFER_SIZE - 128, address_of(to), sizeof to, EDU_DMA_TO_RAM);
  EXPECT(to[0] == 0xaa, "it reads past the end of its buffer");
}

CHECK(intx, "message", "its interrupts come by its line, and not while the command register disables them") {
  if (!have_edu()) return;
  if (machine.machine.ioapic == 0) return skip("there is no IOAPIC");
  u32 line = pci_read8(edu.devfn, PCI_INTERRUPT_LINE);
  REQUIRE(pci_read8(edu.devfn, PCI_INTERRUPT_PIN) == 1 && line > 0 && line < 16, "its line is %u", line);
  interrupts = 0;
  set_handler(VECTOR_DEVICE, taken);
  ioapic_route(machine.machine.ioapic, line, VECTOR_DEVICE, cpus[0].apic_id, true);
  expect_interrupts("INTx");
  u32 command = pci_read32(edu.devfn, PCI_COMMAND) & 0xffff;
  pci_write32(edu.devfn, PCI_COMMAND, command | PCI_COMMAND_INTX_DISABLE);
  /* One that was under way when the line fell may still come, for nothing. */
  WAIT_FOR(false, A_WHILE);
  u32 before = interrupts;
  edu_write(&edu, EDU_RAISE, 1);
  EXPECT((pci_read32(edu.devfn, PCI_COMMAND) & STATUS_INTERRUPT) != 0, "the status register does not show it");
  EXPECT(!WAIT_FOR(interrupts > before, A_WHILE), "it comes while disabled");
  pci_write32(edu.devfn, PCI_COMMAND, command);
  EXPECT(failed() || WAIT_FOR(interrupts > before, PATIENCE), "it does not come once enabled");
  ioapic_mask(machine.machine.ioapic, line);
}

CHECK(msi, "message", "its interrupts come by MSI, to each CPU") {
  if (!have_edu()) return;
  u32 msi = pci_capability(edu.devfn, PCI_CAPABILITY_MSI);
  REQUIRE(msi != 0, "it has no MSI capability");
  set_handler(VECTOR_DEVICE, taken);
  for (u32 cpu = 0; cpu < cpu_count && !failed(); cpu++) {
    interrupts = 0;
    program(msi, APIC_WINDOW | cpus[cpu].apic_id << 12, 0, VECTOR_DEVICE);
    expect_interrupts("MSI");
  }
  pci_write32(edu.devfn, msi + MSI_CONTROL, 0);
}

CHECK(msi_mask, "message", "a masked MSI waits until it is unmasked") {
  if (!have_edu()) return;
  u32 msi = pci_capability(edu.devfn, PCI_CAPABILITY_MSI);
  REQUIRE(msi != 0, "it has no MSI capability");
  if ((pci_read32(edu.devfn, msi) >> 16 & 0x100) == 0) return skip("it cannot mask its vector");
  interrupts = 0;
  set_handler(VECTOR_DEVICE, taken);
  program(msi, APIC_WINDOW | cpus[0].apic_id << 12, 0, VECTOR_DEVICE);
  pci_write32(edu.devfn, msi + MSI_MASK, 1);
  edu_write(&edu, EDU_RAISE, 1);
  EXPECT(!WAIT_FOR(interrupts > 0, A_WHILE), "it comes while masked");
  EXPECT_EQ(pci_read32(edu.devfn, msi + MSI_PENDING), 1);
  pci_write32(edu.devfn, msi + MSI_MASK, 0);
  EXPECT(WAIT_FOR(interrupts > 0, PATIENCE), "it does not come once unmasked");
  EXPECT_EQ(interrupts, 1);
  EXPECT_EQ(pci_read32(edu.devfn, msi + MSI_PENDING), 0);
  pci_write32(edu.devfn, msi + MSI_CONTROL, 0);
}

static void pirq_taken(evtchn_port_t port UNUSED, void *argument UNUSED) {
  edu_write(&edu, EDU_ACKNOWLEDGE, 0xffffffff);
  interrupts++;
}

CHECK(msi_pirq, "message", "a message with vector 0 is an event on the PIRQ that it names") {
  if (!have_edu()) return;
  u32 msi = pci_capability(edu.devfn, PCI_CAPABILITY_MSI);
  REQUIRE(msi != 0, "it has no MSI capability");
  struct physdev_get_free_pirq request = { .type = MAP_PIRQ_TYPE_MSI };
  REQUIRE_EQ(physdev_op(PHYSDEVOP_get_free_pirq, &request), 0);
  u32 pirq = request.pirq;
  interrupts = 0;
  program(msi, APIC_WINDOW | (pirq & 0xff) << 12, pirq & 0xffffff00, 0);
  struct evtchn_bind_pirq bind = { .pirq = pirq };
  REQUIRE_EQ(evtchn_op(EVTCHNOP_bind_pirq, &bind), 0);
  event_listen(bind.port, pirq_taken, NULL);
  expect_interrupts("PIRQ");
  for (u32 cpu = 1; cpu < cpu_count && !failed(); cpu++) {
    interrupts = 0;
    REQUIRE_EQ(event_move(bind.port, cpu), 0);
    expect_interrupts("PIRQ");
    EXPECT(event_ports[bind.port].cpu == cpu, "it reaches CPU %u, not %u", event_ports[bind.port].cpu, cpu);
  }
  event_close(bind.port);
  pci_write32(edu.devfn, msi + MSI_CONTROL, 0);
}

CHECK(msi_pirq_mask, "message", "while its PIRQ is unbound, a message waits") {
  if (!have_edu()) return;
  u32 msi = pci_capability(edu.devfn, PCI_CAPABILITY_MSI);
  REQUIRE(msi != 0, "it has no MSI capability");
  if ((pci_read32(edu.devfn, msi) >> 16 & 0x100) == 0) return skip("it cannot mask its vector");
  struct physdev_get_free_pirq request = { .type = MAP_PIRQ_TYPE_MSI };
  REQUIRE_EQ(physdev_op(PHYSDEVOP_get_free_pirq, &request), 0);
  u32 pirq = request.pirq;
  struct physdev_irq_status_query query = { .irq = pirq };
  EXPECT_EQ(physdev_op(PHYSDEVOP_irq_status_query, &query), 0);
  EXPECT_EQ(query.flags & XENIRQSTAT_needs_eoi, 0);
  interrupts = 0;
  program(msi, APIC_WINDOW | (pirq & 0xff) << 12, pirq & 0xffffff00, 0);
  struct evtchn_bind_pirq bind = { .pirq = pirq };
  REQUIRE_EQ(evtchn_op(EVTCHNOP_bind_pirq, &bind), 0);
  event_close(bind.port);
  EXPECT_EQ(pci_read32(edu.devfn, msi + MSI_MASK), 1);
  edu_write(&edu, EDU_RAISE, 1);
  EXPECT_EQ(pci_read32(edu.devfn, msi + MSI_PENDING), 1);
  bind = (struct evtchn_bind_pirq){ .pirq = pirq };
  REQUIRE_EQ(evtchn_op(EVTCHNOP_bind_pirq, &bind), 0);
  event_listen(bind.port, pirq_taken, NULL);
  EXPECT(WAIT_FOR(interrupts > 0, PATIENCE), "it does not come once bound");
  EXPECT_EQ(interrupts, 1);
  event_close(bind.port);
  edu_write(&edu, EDU_ACKNOWLEDGE, 0xffffffff);
  pci_write32(edu.devfn, msi + MSI_MASK, 0);
  pci_write32(edu.devfn, msi + MSI_CONTROL, 0);
}
