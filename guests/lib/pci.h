/* PCI configuration space by ports 0xcf8 and 0xcfc, bus 0. */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include "types.h"

#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x0002
#define PCI_COMMAND_MASTER 0x0004
#define PCI_COMMAND_INTX_DISABLE 0x0400
#define PCI_CAPABILITIES 0x34
#define PCI_CAPABILITY_MSI 0x05
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d
#define PCI_SUBSYSTEM 0x2c
#define PCI_CLASS_REVISION 0x08
#define XEN_PLATFORM_ID 0x00015853u /* vendor 0x5853, device 0x0001 */

struct pci_bar {
  u64 base, size;
  bool io;
};

/* devfn (device << 3 | function) of the first function with these IDs (device << 16 | vendor), or -1. */
int pci_find(u32 ids);
u32 pci_read32(u32 devfn, u32 offset);
u8 pci_read8(u32 devfn, u32 offset);
void pci_write32(u32 devfn, u32 offset, u32 value);
/* Offset of the first capability of this kind, or 0. */
u32 pci_capability(u32 devfn, u8 id);
/* Sizes BAR `index` and puts its value back. */
struct pci_bar pci_bar(u32 devfn, u32 index);

#endif
