/* [PCI] Local Bus Specification 3.0: configuration mechanism 3.2.2.3.2, base addresses 6.2.5. */
#include "pci.h"

#include "x86.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000u
#define DEVFNS 256
#define MOST_CAPABILITIES 48 /* dwords beyond the header: more would be a loop */
#define BAR_IO 1
#define BAR_64BIT 4

static void select(u32 devfn, u32 offset) { outl(CONFIG_ADDRESS, CONFIG_ENABLE | devfn << 8 | (offset & 0xfc)); }

u32 pci_read32(u32 devfn, u32 offset) {
  select(devfn, offset);
  return inl(CONFIG_DATA);
}

u8 pci_read8(u32 devfn, u32 offset) {
  select(devfn, offset);
  return inb((u16)(CONFIG_DATA + (offset & 3)));
}

void pci_write32(u32 devfn, u32 offset, u32 value) {
  select(devfn, offset);
  outl(CONFIG_DATA, value);
}

int pci_find(u32 ids) {
  for (u32 devfn = 0; devfn < DEVFNS; devfn++) {
    if (pci_read32(devfn, 0) == ids) return (int)devfn;
  }
  return -1;
}

u32 pci_capability(u32 devfn, u8 id) {
  u32 at = pci_read8(devfn, PCI_CAPABILITIES);
  for (u32 left = MOST_CAPABILITIES; at != 0 && left > 0; left--) {
    u32 header = pci_read32(devfn, at);
    if ((header & 0xff) == id) return at;
    at = header >> 8 & 0xfc;
  }
  return 0;
}

struct pci_bar pci_bar(u32 devfn, u32 index) {
  u32 offset = 0x10 + 4 * index;
  u32 value = pci_read32(devfn, offset);
  pci_write32(devfn, offset, 0xffffffff);
  u32 mask = pci_read32(devfn, offset);
  pci_write32(devfn, offset, value);
  struct pci_bar bar = { .io = (value & BAR_IO) != 0 };
  u32 flags = bar.io ? 3 : 15;
  bar.base = value & ~flags;
  bar.size = (mask & ~flags) == 0 ? 0 : -(s64)(int)(mask & ~flags);
  if (bar.io) bar.size &= 0xffff;
  if (!bar.io && (value & BAR_64BIT)) bar.base |= (u64)pci_read32(devfn, offset + 4) << 32;
  return bar;
}
