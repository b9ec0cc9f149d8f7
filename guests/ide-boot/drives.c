/* What is plugged into a PIIX3's two IDE channels (drives.h). [PIIX3] 2.3 */
#include "drives.h"

#include "../lib/pci.h"

#define PIIX3_IDE 0x70108086u
#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO_AND_MASTER 0x05
#define BUS_MASTER_BAR 4
#define DEVFNS 256

struct ata_device drives[DRIVES];

/* Port of the bus master registers, 0 when there is no function. */
static u16 find_bus_master(void) {
  for (u32 devfn = 0; devfn < DEVFNS; devfn++) {
    if (pci_read32(devfn, 0) != PIIX3_IDE) continue;
    pci_write32(devfn, PCI_COMMAND, pci_read32(devfn, PCI_COMMAND) | PCI_COMMAND_IO_AND_MASTER);
    return (u16)pci_bar(devfn, BUS_MASTER_BAR).base;
  }
  return 0;
}

void find_drives(void) {
  u16 bus_master = find_bus_master();
  for (u32 i = 0; i < DRIVES; i++) {
    bool second = i >= 2;
    drives[i] = (struct ata_device){ .command = second ? 0x170 : 0x1f0,
                                     .control = second ? 0x376 : 0x3f6,
                                     .bus_master = bus_master == 0 ? 0 : (u16)(bus_master + (second ? 8 : 0)),
                                     .unit = i & 1 };
    ata_identify(&drives[i]);
  }
}

const struct ata_device *first_drive(enum ata_kind kind) {
  for (u32 i = 0; i < DRIVES; i++) {
    if (drives[i].kind == kind) return &drives[i];
  }
  return NULL;
}
