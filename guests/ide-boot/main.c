/*
 * A guest that a PC's firmware boots from an IDE disk: compares what INT 13h read with PIO and DMA of its own, counts its
 * boots on the disk, unplugs the disks as a Xen guest does, and resets the machine once. One line a step, to COM1;
 * what does not work says FAILED.
 *
 * Words of the command line: lba48=N reads the data at sector N too, where the image has it a second time;
 * reset=cf9|kbc|acpi|triple resets once before the power-off; unplug=0xN is the mask (1: all IDE disks; 0: leaves them);
 * `serve` waits for orders by COM1 before that (service.h).
 * `debug-exit` ends by isa-debug-exit with the number of failures.
 *
 * [UNPLUG] xen.git docs/misc/hvm-emulated-unplug.pandoc; [EDD] BIOS Enhanced Disk Drive Services
 */
#include "../lib/console.h"
#include "../lib/string.h"
#include "../lib/x86.h"
#include "checksum.h"
#include "drives.h"
#include "layout.h"
#include "power.h"
#include "service.h"

/* [UNPLUG] */
#define UNPLUG_MAGIC_PORT 0x10
#define UNPLUG_VERSION_PORT 0x12
#define UNPLUG_MAGIC 0x49d2
#define UNPLUG_PRODUCT 0xffff /* experimental */

struct bios_results {
  u8 drive, extensions_version;
  u16 extensions, geometry;
  u8 last_head, chs_status, lba_status;
  u8 reserved[7];
  /* [EDD] function 48h */
  struct {
    u16 size, flags;
    u32 cylinders, heads, sectors_a_track;
    u64 sectors;
    u16 bytes_a_sector;
  } __attribute__((packed)) parameters;
};
_Static_assert(offsetof(struct bios_results, parameters) == RESULT_PARAMETERS, "results");

static u8 buffer[DATA_SECTORS * ATA_SECTOR] PAGE_ALIGNED;
static u32 failures;

static void fail(const char *what, int result) {
  failures++;
  print("ide-boot: FAILED: %s: %d\n", what, result);
}

static void report(const char *what, int result, const void *data, size_t bytes) {
  if (result == 0) print("ide-boot: %s: %08x\n", what, checksum(data, bytes));
  else fail(what, result);
}

static void show_bios(const struct bios_results *bios) {
  print("ide-boot: int 13h: drive 0x%x, extensions 0x%x, %lu sectors\n", bios->drive, bios->extensions_version,
        bios->parameters.sectors);
  report("int 13h chs", bios->chs_status, pointer_to(CHS_SEGMENT * 16), CHS_SECTORS * ATA_SECTOR);
  report("int 13h lba", bios->lba_status, pointer_to(LBA_SEGMENT * 16), sizeof buffer);
}

static void show_drives(const char *when) {
  for (u32 i = 0; i < DRIVES; i++) {
    const struct ata_device *device = &drives[i];
    if (device->kind == ATA_NONE) continue;
    if (device->kind == ATA_PACKET) print("ide-boot: %s: ata%u-%u is the CD-ROM %s\n", when, i / 2, i % 2, device->model);
    else print("ide-boot: %s: ata%u-%u is the disk %s, %lu sectors\n", when, i / 2, i % 2, device->model, device->sectors);
  }
}

static void read_disk(const struct boot_info *boot, const struct ata_device *disk) {
  u64 far = boot_number(boot, "lba48", DATA_SECTOR);
  memset(buffer, 0, sizeof buffer);
  report("pio lba28", ata_pio(disk, READ_SECTORS, DATA_SECTOR, DATA_SECTORS, buffer), buffer, sizeof buffer);
  memset(buffer, 0, sizeof buffer);
  report("pio lba48", ata_pio(disk, READ_SECTORS_EXT, far, DATA_SECTORS, buffer), buffer, sizeof buffer);
  if (disk->bus_master == 0) {
    fail("bus master", 0);
    return;
  }
  memset(buffer, 0, sizeof buffer);
  report("dma lba28", ata_dma(disk, READ_DMA, DATA_SECTOR, DATA_SECTORS, buffer), buffer, sizeof buffer);
  memset(buffer, 0, sizeof buffer);
  report("dma lba48", ata_dma(disk, READ_DMA_EXT, far, DATA_SECTORS, buffer), buffer, sizeof buffer);
  int past = ata_pio(disk, READ_SECTORS_EXT, disk->sectors, 1, buffer);
  if (past > 0) print("ide-boot: past the end: error 0x%x\n", past & 0xff);
  else fail("past the end", past);
}

static void read_cd(const char *what) {
  const struct ata_device *cd = first_drive(ATA_PACKET);
  if (cd == NULL) return;
  memset(buffer, 0, sizeof buffer);
  int result = cd_read(cd, 0, CD_BLOCKS_READ, buffer);
  report(what, result == CD_BLOCKS_READ * CD_BLOCK ? 0 : result, buffer, CD_BLOCKS_READ * CD_BLOCK);
}

/* One more boot than the disk knows of, and it knows then. */
static u32 count_boots(const struct ata_device *disk) {
  u32 *counter = (u32 *)buffer;
  int result = ata_pio(disk, READ_SECTORS, COUNTER_SECTOR, 1, buffer);
  if (result != 0) fail("read the counter", result);
  u32 boots = ++*counter;
  result = ata_pio(disk, WRITE_SECTORS, COUNTER_SECTOR, 1, buffer);
  if (result != 0) fail("write the counter", result);
  result = ata_flush(disk);
  if (result != 0) fail("flush", result);
  return boots;
}

static void unplug(u16 mask) {
  u16 magic = inw(UNPLUG_MAGIC_PORT);
  if (magic != UNPLUG_MAGIC) {
    print("ide-boot: unplug: no platform device, 0x%x\n", magic);
    return;
  }
  if (inb(UNPLUG_VERSION_PORT) >= 1) {
    outw(UNPLUG_VERSION_PORT, UNPLUG_PRODUCT);
    outl(UNPLUG_MAGIC_PORT, 1);
    if (inw(UNPLUG_MAGIC_PORT) != UNPLUG_MAGIC) {
      fail("unplug: this driver is not welcome", 0);
      return;
    }
  }
  outw(UNPLUG_MAGIC_PORT, mask);
  const struct ata_device *disk = first_drive(ATA_DISK);
  u8 status = ata_status(disk);
  int result = ata_pio(disk, READ_SECTORS, DATA_SECTOR, 1, buffer);
  print("ide-boot: unplug 0x%x: status 0x%x, read %s\n", mask, status, result == 0 ? "works" : "fails");
  find_drives();
  show_drives("after unplug");
  read_cd("cd after unplug");
}

void guest_main(const struct boot_info *boot) {
  const struct bios_results *bios = pointer_to(RESULTS_ADDRESS);
  console_init(boot);
  show_bios(bios);
  find_drives();
  show_drives("at boot");
  const struct ata_device *disk = first_drive(ATA_DISK);
  u32 boots = 0;
  if (disk == NULL) fail("no disk", 0);
  else {
    read_disk(boot, disk);
    boots = count_boots(disk);
    print("ide-boot: this is boot %u\n", boots);
    read_cd("cd");
    if (boot_flag(boot, "serve")) serve(disk, first_drive(ATA_PACKET));
    u16 mask = (u16)boot_number(boot, "unplug", 1);
    if (mask != 0) unplug(mask);
  }
  if (boots == 1) {
    print("ide-boot: resets\n");
    reset_machine(boot);
    print("ide-boot: no reset\n");
  }
  print("ide-boot: ends with %u failures\n", failures);
  if (!boot_flag(boot, "debug-exit")) power_off(boot);
  finish((u8)failures);
}
