/*
 * ATA and ATAPI by polling: identification, PIO and bus-master DMA.
 *
 * [ATA-6] T13/1410D; [BMIDE] Programming Interface for Bus Master IDE Controller, rev. 1.0
 */
#ifndef GUEST_ATA_H
#define GUEST_ATA_H

#include "types.h"

#define ATA_SECTOR 512
#define CD_BLOCK 2048

/* [ATA-6] 7.15 status register */
enum { STATUS_ERR = 0x01, STATUS_DRQ = 0x08, STATUS_DF = 0x20, STATUS_DRDY = 0x40, STATUS_BSY = 0x80 };

enum ata_kind { ATA_NONE, ATA_DISK, ATA_PACKET };

/* One device of two on a channel. */
struct ata_device {
  /* Command block, control block and bus-master registers; the last 0 without DMA. */
  u16 command, control, bus_master;
  u8 unit;
  enum ata_kind kind;
  char model[41], serial[21];
  u64 sectors;
};

enum ata_command {
  READ_SECTORS = 0x20,
  READ_SECTORS_EXT = 0x24,
  READ_DMA_EXT = 0x25,
  WRITE_SECTORS = 0x30,
  WRITE_SECTORS_EXT = 0x34,
  WRITE_DMA_EXT = 0x35,
  READ_DMA = 0xc8,
  WRITE_DMA = 0xca,
};

/* Fills in kind, model and size; kind is ATA_NONE when nobody answers. */
void ata_identify(struct ata_device *device);
/* The status register as it reads with the device selected. */
u8 ata_status(const struct ata_device *device);
/* Reads or writes sectors by PIO. 0, or the error register with bit 8 set, or -1 after a time-out. */
int ata_pio(const struct ata_device *device, enum ata_command command, u64 sector, u32 count, void *data);
/* Reads or writes by DMA, `data` scattered over several entries of the PRD table. As ata_pio; -2 when the bus master's status is not what it must be. */
int ata_dma(const struct ata_device *device, enum ata_command command, u64 sector, u32 count, void *data);
int ata_flush(const struct ata_device *device);
/* Sends a packet and takes up to `limit` bytes by PIO. The number of bytes, or -1 after a time-out, or -2 minus the sense key. */
int ata_packet(const struct ata_device *device, const u8 packet[12], void *data, u32 limit);
/* As ata_packet, after as many unit attentions as there are. */
int cd_packet(const struct ata_device *device, const u8 packet[12], void *data, u32 limit);
/* READ (10), as cd_packet. */
int cd_read(const struct ata_device *device, u32 block, u32 count, void *data);

#endif
