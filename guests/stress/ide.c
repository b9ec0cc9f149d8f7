/* The IDE disk: what is written by PIO or DMA comes back by the other. */
#include "area.h"

#include "../lib/ata.h"
#include "../lib/pci.h"

#define PIIX3_IDE_ID 0x70108086u
#define BUS_MASTER_BAR 4
/* Of the secondary channel: [ATA-6] 7 */
enum { PORT_DATA = 0x170, PORT_CONTROL = 0x376, BUS_MASTER_OFFSET = 8 };
#define MAX_SECTORS 64
/* Told from the PV disks in its stamps. */
#define DISK 8

static struct ata_device drive = { .command = PORT_DATA, .control = PORT_CONTROL };
static struct area area = { .owner = &ide, .disk = DISK };
static u8 data[MAX_SECTORS * ATA_SECTOR] PAGE_ALIGNED;
static try_lock busy;

static bool prepare(void) {
  if (drive.kind == ATA_DISK) return true;
  int devfn = pci_find(PIIX3_IDE_ID);
  if (devfn < 0) return false;
  pci_write32((u32)devfn, PCI_COMMAND, pci_read32((u32)devfn, PCI_COMMAND) | PCI_COMMAND_MASTER);
  drive.bus_master = (u16)pci_bar((u32)devfn, BUS_MASTER_BAR).base + BUS_MASTER_OFFSET;
  ata_identify(&drive);
  return drive.kind == ATA_DISK && drive.sectors >= STAMP_AREA;
}

static bool transfer(bool write, u32 sector, u32 count) {
  bool dma = random_below(2) == 0, extended = random_below(2) == 0;
  int result = dma ? ata_dma(&drive, write ? (extended ? WRITE_DMA_EXT : WRITE_DMA) : extended ? READ_DMA_EXT : READ_DMA,
                             sector, count, data)
                   : ata_pio(&drive, write ? (extended ? WRITE_SECTORS_EXT : WRITE_SECTORS)
                                           : extended ? READ_SECTORS_EXT : READ_SECTORS, sector, count, data);
  if (result != 0) failure(&ide, "%s of %u sectors by %s gives %d", write ? "writing" : "reading", count, dma ? "DMA" : "PIO", result);
  return result == 0;
}

static bool step(u32 cpu UNUSED) {
  if (!try_acquire(&busy)) return false;
  u32 sector, count, choice = random_below(16);
  area_choose(MAX_SECTORS, &sector, &count);
  if (choice == 0) {
    int result = ata_flush(&drive);
    if (result != 0) failure(&ide, "a flush gives %d", result);
  } else if (choice < 9) {
    area_fill(&area, data, sector, count);
    if (transfer(true, sector, count)) area_wrote(&area, sector, count);
  } else if (transfer(false, sector, count)) area_check(&area, data, sector, count);
  count_operation(&ide);
  release(&busy);
  return true;
}

/* A step leaves nothing behind. */
static bool quiet(void) { return true; }
static void settle(void) {}

/* Reads everything again, and tells the host what it will find in the image. */
static void finish(void) {
  u32 sum = 0;
  for (u32 sector = 0; sector < STAMP_AREA; sector += MAX_SECTORS) {
    if (!transfer(false, sector, MAX_SECTORS)) return;
    area_check(&area, data, sector, MAX_SECTORS);
    sum += area_sum(&area, data, sector, MAX_SECTORS);
  }
  if (ata_flush(&drive) == 0) area_tell(&area, sum);
}

struct workload ide = { "ide", prepare, step, quiet, settle, finish, 0, 0, 0 };
