/* The Xen platform PCI device: identity, BARs and the fixed ports. [UNPLUG] docs/misc/hvm-emulated-unplug.pandoc */
#include "check.h"

#include "../lib/pci.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define PORT_MAGIC 0x10
#define PORT_VERSION 0x12
#define PORT_PRODUCT 0x12
#define PORT_LOG 0x12
#define MAGIC 0x49d2

static int platform(void) { return pci_find(XEN_PLATFORM_ID); }

CHECK(identity_registers, "platform", "the device is there, with Xen's subsystem and class") {
  REQUIRE(platform() >= 0, "it is not on bus 0");
  u32 devfn = (u32)platform();
  EXPECT_EQ(pci_read32(devfn, PCI_SUBSYSTEM), 0x00015853);
  EXPECT_EQ(pci_read32(devfn, PCI_CLASS_REVISION) >> 16, 0xff80);
  EXPECT_EQ(pci_read8(devfn, PCI_INTERRUPT_PIN), 1);
}

CHECK(bars, "platform", "it has 256 ports and 16 MiB of memory space") {
  REQUIRE(platform() >= 0, "it is not on bus 0");
  struct pci_bar ports = pci_bar((u32)platform(), 0);
  struct pci_bar memory = pci_bar((u32)platform(), 1);
  EXPECT(ports.io && ports.size == 0x100 && ports.base != 0, "BAR 0: %lu bytes at 0x%lx", ports.size, ports.base);
  EXPECT(!memory.io && memory.size == 0x1000000 && memory.base != 0, "BAR 1: %lu bytes at 0x%lx", memory.size, memory.base);
}

CHECK(bar_sweep, "platform", "accesses anywhere in its memory space do no harm") {
  REQUIRE(platform() >= 0, "it is not on bus 0");
  struct pci_bar memory = pci_bar((u32)platform(), 1);
  for (u64 offset = 0x100000; offset < memory.size; offset += 0x1fffc) {
    volatile u32 *word = pointer_to(memory.base + offset);
    *word = 0xffffffff;
    (void)*word;
  }
}

CHECK(magic, "platform", "the unplug protocol answers with its magic and version") {
  EXPECT_EQ(inw(PORT_MAGIC), MAGIC);
  EXPECT_EQ(inb(PORT_VERSION), 1);
  outw(PORT_PRODUCT, 0xffff);
  outl(PORT_MAGIC, 1);
  EXPECT_EQ(inw(PORT_MAGIC), MAGIC);
}

CHECK(log_port, "platform", "the log port takes a line") {
  static const char line[] = "selftest: a line by the log port\n";
  for (u32 i = 0; i < sizeof line - 1; i++) outb(PORT_LOG, (u8)line[i]);
}
