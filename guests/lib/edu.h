/* QEMU's educational PCI device: [EDU] qemu.git docs/specs/edu.rst. */
#ifndef GUEST_EDU_H
#define GUEST_EDU_H

#include "pci.h"

#define EDU_ID 0x11e81234u /* vendor 0x1234, device 0x11e8 */
#define EDU_IDENTITY 0x010000ed

enum edu_register {
  EDU_IDENTIFICATION = 0x00,
  EDU_LIVENESS = 0x04,
  EDU_FACTORIAL = 0x08,
  EDU_STATUS = 0x20,
  EDU_CAUSES = 0x24,
  EDU_RAISE = 0x60,
  EDU_ACKNOWLEDGE = 0x64,
  EDU_DMA_SOURCE = 0x80,
  EDU_DMA_DESTINATION = 0x88,
  EDU_DMA_COUNT = 0x90,
  EDU_DMA_COMMAND = 0x98,
};
#define EDU_STATUS_INTERRUPT 0x80
#define EDU_CAUSE_FACTORIAL 0x001
#define EDU_CAUSE_DMA 0x100
#define EDU_DMA_RUN 1
#define EDU_DMA_TO_RAM 2
#define EDU_DMA_INTERRUPT 4
#define EDU_BUFFER 0x40000
#define EDU_BUFFER_SIZE 4096

struct edu {
  u32 devfn;
  u64 base; /* of BAR 0, identity-mapped */
};

/* Finds the device and lets it decode memory and master the bus; false when there is none. */
bool edu_open(struct edu *edu);
u32 edu_read(const struct edu *edu, enum edu_register at);
void edu_write(const struct edu *edu, enum edu_register at, u32 value);
/* A transfer of `count` bytes; it is done on return, or is not done within a second: false. */
bool edu_transfer(const struct edu *edu, u64 source, u64 destination, u64 count, u32 command);

#endif
