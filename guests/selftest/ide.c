/* The IDE disk: what is written by PIO and DMA comes back by the other, and an unplugged disk is gone. */
#include "check.h"

#include "../lib/ata.h"
#include "../lib/pci.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define PIIX3_IDE_ID 0x70108086u
#define BUS_MASTER_BAR 4
/* [UNPLUG] docs/misc/hvm-emulated-unplug.pandoc */
#define UNPLUG_PORT 0x10
#define UNPLUG_SECONDARY_DISKS 4

/* Of the secondary channel, whose disks can be unplugged without the others: [ATA-6] 7 */
enum { PORT_DATA = 0x170, PORT_DEVICE = 0x176, PORT_COMMAND = 0x177, PORT_CONTROL = 0x376, BUS_MASTER_OFFSET = 8 };
enum { CONTROL_SRST = 0x04, IDLE_IMMEDIATE = 0xe1 };
/* The second 8259: its request register shows IRQ 15 as bit 7, and follows the line while that is level-triggered. [8259A] */
enum { PIC2_COMMAND = 0xa0, PIC2_LEVEL_TRIGGERED = 0x4d1, READ_REQUESTS = 0x0a, IRQ15 = 1 << 7 };

#define SECTORS 24
#define BYTES (SECTORS * ATA_SECTOR)

static u8 written[BYTES] PAGE_ALIGNED, seen[BYTES] PAGE_ALIGNED;
static struct ata_device drive = { .command = PORT_DATA, .control = PORT_CONTROL };

/* Fills in `drive`; skips the check where there is no disk that may be written to. */
static bool find_disk(void) {
  int devfn = pci_find(PIIX3_IDE_ID);
  if (devfn >= 0) {
    drive.bus_master = (u16)pci_bar((u32)devfn, BUS_MASTER_BAR).base + BUS_MASTER_OFFSET;
    ata_identify(&drive);
  }
  bool ours = drive.kind == ATA_DISK && strcmp(drive.serial, "SELFTEST") == 0;
  if (!ours) skip("there is no IDE disk whose serial number is SELFTEST");
  return ours;
}

static void fill(u32 seed) {
  for (u32 i = 0; i < BYTES; i++) {
    seed = seed * 1664525u + 1013904223u;
    written[i] = (u8)(seed >> 24);
  }
  memset(seen, 0, BYTES);
}

static void expect_same(u32 bytes) {
  for (u32 i = 0; i < bytes; i++) {
    if (seen[i] == written[i]) continue;
    fail("byte %u comes back as 0x%x, not 0x%x", i, seen[i], written[i]);
    return;
  }
}

CHECK(function, "ide", "the function is there, its channels at their old ports") {
  int devfn = pci_find(PIIX3_IDE_ID);
  REQUIRE(devfn >= 0, "it is not on bus 0");
  EXPECT_EQ(pci_read32((u32)devfn, PCI_CLASS_REVISION) >> 8, 0x010180);
  struct pci_bar ports = pci_bar((u32)devfn, BUS_MASTER_BAR);
  EXPECT(ports.io && ports.size == 16 && ports.base != 0, "BAR 4: %lu bytes at 0x%lx", ports.size, ports.base);
}

CHECK(identify, "ide", "the disk says what it is") {
  if (!find_disk()) return;
  EXPECT(drive.sectors > 2 * SECTORS, "it has %lu sectors", drive.sectors);
  note("%s, %lu sectors", drive.model, drive.sectors);
}

CHECK(empty_place, "ide", "the place beside it is empty") {
  if (!find_disk()) return;
  const struct ata_device beside = { .command = PORT_DATA, .control = PORT_CONTROL, .unit = 1 };
  EXPECT_EQ(ata_status(&beside), 0);
}

CHECK(pio28, "ide", "sectors are written and read back by PIO with 28-bit addresses") {
  if (!find_disk()) return;
  fill(28);
  REQUIRE_EQ(ata_pio(&drive, WRITE_SECTORS, 5, SECTORS, written), 0);
  REQUIRE_EQ(ata_pio(&drive, READ_SECTORS, 5, SECTORS, seen), 0);
  expect_same(BYTES);
}

CHECK(pio48, "ide", "sectors are written and read back by PIO with 48-bit addresses") {
  if (!find_disk()) return;
  fill(48);
  u64 sector = drive.sectors - SECTORS;
  REQUIRE_EQ(ata_pio(&drive, WRITE_SECTORS_EXT, sector, SECTORS, written), 0);
  REQUIRE_EQ(ata_pio(&drive, READ_SECTORS_EXT, sector, SECTORS, seen), 0);
  expect_same(BYTES);
}

CHECK(dma, "ide", "what PIO writes comes back by DMA, and the other way round") {
  if (!find_disk()) return;
  fill(1);
  REQUIRE_EQ(ata_pio(&drive, WRITE_SECTORS, 9, SECTORS, written), 0);
  REQUIRE_EQ(ata_dma(&drive, READ_DMA, 9, SECTORS, seen), 0);
  expect_same(BYTES);
  fill(2);
  REQUIRE_EQ(ata_dma(&drive, WRITE_DMA_EXT, 9, SECTORS, written), 0);
  REQUIRE_EQ(ata_pio(&drive, READ_SECTORS_EXT, 9, SECTORS, seen), 0);
  expect_same(BYTES);
}

CHECK(odd_memory, "ide", "DMA goes to memory of any even address") {
  if (!find_disk()) return;
  fill(3);
  REQUIRE_EQ(ata_dma(&drive, WRITE_DMA, 9, SECTORS - 1, written + 2), 0);
  REQUIRE_EQ(ata_dma(&drive, READ_DMA_EXT, 9, SECTORS - 1, seen + 2), 0);
  seen[0] = written[0], seen[1] = written[1];
  expect_same(BYTES - ATA_SECTOR + 2);
}

CHECK(past_the_end, "ide", "sectors past the end are an error, and the disk goes on") {
  if (!find_disk()) return;
  int error = ata_pio(&drive, READ_SECTORS_EXT, drive.sectors - 1, 2, seen);
  EXPECT(error == 0x110 || error == 0x104, "it gives 0x%x", error);
  EXPECT_EQ(ata_pio(&drive, READ_SECTORS_EXT, drive.sectors - 1, 1, seen), 0);
  EXPECT_EQ(ata_flush(&drive), 0);
}

CHECK(reset, "ide", "a reset ends a transfer that is under way") {
  if (!find_disk()) return;
  outb(PORT_DEVICE, 0xe0);
  outb(PORT_DATA + 2, 8);
  outb(PORT_COMMAND, READ_SECTORS);
  outb(PORT_CONTROL, CONTROL_SRST);
  outb(PORT_CONTROL, 0);
  u32 tries = 0;
  while (inb(PORT_CONTROL) & STATUS_BSY && tries < 100000) tries++;
  EXPECT_EQ(inb(PORT_CONTROL), STATUS_DRDY | 0x10);
  EXPECT_EQ(inb(PORT_DATA + 1), 1);
  EXPECT_EQ(ata_pio(&drive, READ_SECTORS, 0, 1, seen), 0);
}

CHECK(interrupt, "ide", "a command ends with interrupt 15, until the status is read") {
  if (!find_disk()) return;
  u8 triggers = inb(PIC2_LEVEL_TRIGGERED);
  outb(PIC2_LEVEL_TRIGGERED, triggers | IRQ15);
  outb(PIC2_COMMAND, READ_REQUESTS);
  outb(PORT_CONTROL, 0);
  inb(PORT_COMMAND);
  EXPECT_EQ(inb(PIC2_COMMAND) & IRQ15, 0);
  outb(PORT_COMMAND, IDLE_IMMEDIATE);
  EXPECT_EQ(inb(PIC2_COMMAND) & IRQ15, IRQ15);
  inb(PORT_COMMAND);
  EXPECT_EQ(inb(PIC2_COMMAND) & IRQ15, 0);
  outb(PIC2_LEVEL_TRIGGERED, triggers);
}

CHECK(unplugged, "ide", "an unplugged disk leaves nothing behind") {
  if (!find_disk()) return;
  outw(UNPLUG_PORT, UNPLUG_SECONDARY_DISKS);
  EXPECT_EQ(inb(PORT_COMMAND), 0xff);
  EXPECT_EQ(inw(PORT_DATA), 0xffff);
  outb(PORT_COMMAND, IDLE_IMMEDIATE);
  EXPECT_EQ(inb(PORT_CONTROL), 0xff);
  drive.kind = ATA_NONE;
}
