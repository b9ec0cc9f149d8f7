/* QEMU's educational PCI device: [EDU] qemu.git docs/specs/edu.rst. */
#include "edu.h"

#include "clock.h"
#include "x86.h"

bool edu_open(struct edu *edu) {
  int devfn = pci_find(EDU_ID);
  if (devfn < 0) return false;
  edu->devfn = (u32)devfn;
  edu->base = pci_bar(edu->devfn, 0).base;
  pci_write32(edu->devfn, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  return true;
}

u32 edu_read(const struct edu *edu, enum edu_register at) { return *(volatile u32 *)pointer_to(edu->base + at); }

void edu_write(const struct edu *edu, enum edu_register at, u32 value) {
  *(volatile u32 *)pointer_to(edu->base + at) = value;
}

static void write64(const struct edu *edu, enum edu_register at, u64 value) {
  *(volatile u64 *)pointer_to(edu->base + at) = value;
}

bool edu_transfer(const struct edu *edu, u64 source, u64 destination, u64 count, u32 command) {
  write64(edu, EDU_DMA_SOURCE, source);
  write64(edu, EDU_DMA_DESTINATION, destination);
  write64(edu, EDU_DMA_COUNT, count);
  write64(edu, EDU_DMA_COMMAND, EDU_DMA_RUN | command);
  return WAIT_FOR((edu_read(edu, EDU_DMA_COMMAND) & EDU_DMA_RUN) == 0, SECOND);
}
