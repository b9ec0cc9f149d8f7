/* ATA and ATAPI by polling (ata.h). */
#include "ata.h"

#include "string.h"
#include "x86.h"

/* Command block registers, [ATA-6] 7.2 */
enum { DATA, ERROR, COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, STATUS };
/* A packet device's: byte count limit. */
enum { BYTE_COUNT_LOW = LBA_MID, BYTE_COUNT_HIGH = LBA_HIGH };
enum { DEVICE_LBA = 0x40, CONTROL_NIEN = 0x02 };
enum { IDENTIFY_PACKET = 0xa1, IDENTIFY = 0xec, PACKET = 0xa0, FLUSH = 0xe7 };

/* [BMIDE] 1.2 */
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };
enum { BM_START = 0x01, BM_TO_MEMORY = 0x08, BM_ACTIVE = 0x01, BM_ERROR = 0x02, BM_INTERRUPT = 0x04 };

struct prd {
  u32 address;
  u16 bytes, flags;
};
#define PRD_END 0x8000
#define PRDS 8

/* Polls before a device is given up: each is an exit of some microseconds. */
#define PATIENCE 400000
#define PACKET_LIMIT 0xfffe

static struct prd table[PRDS] __attribute__((aligned(64)));

static void select(const struct ata_device *device) {
  outb(device->command + DEVICE, (u8)(0xa0 | DEVICE_LBA | device->unit << 4));
  for (int i = 0; i < 4; i++) inb(device->control); /* 400 ns */
}

u8 ata_status(const struct ata_device *device) {
  select(device);
  return inb(device->control);
}

static bool ready(const struct ata_device *device) {
  for (u32 tries = 0; tries < PATIENCE; tries++) {
    if (!(inb(device->control) & STATUS_BSY)) return true;
  }
  return false;
}

/* Waits for data, or for the end: 0, an error or -1. */
static int wait_data(const struct ata_device *device, bool *data) {
  if (!ready(device)) return -1;
  u8 status = inb(device->command + STATUS);
  *data = (status & STATUS_DRQ) != 0;
  return status & (STATUS_ERR | STATUS_DF) ? 0x100 | inb(device->command + ERROR) : 0;
}

static void in_words(u16 port, void *to, u32 words) {
  __asm__ volatile("rep insw" : "+D"(to), "+c"(words) : "d"(port) : "memory");
}

static void out_words(u16 port, const void *from, u32 words) {
  __asm__ volatile("rep outsw" : "+S"(from), "+c"(words) : "d"(port) : "memory");
}

/* Words of text have their first character in the upper byte. */
static void copy_text(char *to, const u16 *words, u32 count) {
  u32 length = 0;
  for (u32 i = 0; i < count; i++) {
    to[length++] = (char)(words[i] >> 8);
    to[length++] = (char)words[i];
  }
  while (length > 0 && (to[length - 1] == ' ' || to[length - 1] == 0)) length--;
  to[length] = 0;
}

void ata_identify(struct ata_device *device) {
  u16 words[256];
  device->kind = ATA_NONE;
  u8 status = ata_status(device);
  if (status == 0xff || status == 0x7f) return; /* nobody drives the bus */
  outb(device->control, CONTROL_NIEN);
  outb(device->command + COUNT, 0x55);
  outb(device->command + LBA_LOW, 0xaa);
  if (inb(device->command + COUNT) != 0x55 || inb(device->command + LBA_LOW) != 0xaa) return;
  outb(device->command + STATUS, IDENTIFY);
  if (inb(device->control) == 0 || !ready(device)) return;
  /* A packet device refuses, and leaves its signature. */
  bool packet = inb(device->command + LBA_MID) == 0x14 && inb(device->command + LBA_HIGH) == 0xeb;
  if (packet) outb(device->command + STATUS, IDENTIFY_PACKET);
  bool data;
  if (wait_data(device, &data) != 0 || !data) return;
  in_words(device->command, words, 256);
  device->kind = packet ? ATA_PACKET : ATA_DISK;
  copy_text(device->model, words + 27, 20);
  copy_text(device->serial, words + 10, 10);
  device->sectors = words[60] | (u32)words[61] << 16;
  if (!packet && words[83] & 1 << 10) { /* 48-bit addresses */
    device->sectors = words[100] | (u64)words[101] << 16 | (u64)words[102] << 32 | (u64)words[103] << 48;
  }
}

static bool is_ext(enum ata_command command) {
  return command == READ_SECTORS_EXT || command == READ_DMA_EXT || command == WRITE_SECTORS_EXT || command == WRITE_DMA_EXT;
}

static bool is_write(enum ata_command command) {
  return command == WRITE_SECTORS || command == WRITE_SECTORS_EXT || command == WRITE_DMA || command == WRITE_DMA_EXT;
}

static bool issue(const struct ata_device *device, enum ata_command command, u64 sector, u32 count) {
  u16 base = device->command;
  select(device);
  if (!ready(device)) return false;
  if (is_ext(command)) { /* the upper halves first, into the same registers */
    outb(base + COUNT, (u8)(count >> 8));
    outb(base + LBA_LOW, (u8)(sector >> 24));
    outb(base + LBA_MID, (u8)(sector >> 32));
    outb(base + LBA_HIGH, (u8)(sector >> 40));
  } else {
    outb(base + DEVICE, (u8)(0xa0 | DEVICE_LBA | device->unit << 4 | (sector >> 24 & 0x0f)));
  }
  outb(base + COUNT, (u8)count);
  outb(base + LBA_LOW, (u8)sector);
  outb(base + LBA_MID, (u8)(sector >> 8));
  outb(base + LBA_HIGH, (u8)(sector >> 16));
  outb(base + STATUS, (u8)command);
  return true;
}

int ata_pio(const struct ata_device *device, enum ata_command command, u64 sector, u32 count, void *data) {
  outb(device->control, CONTROL_NIEN);
  if (!issue(device, command, sector, count)) return -1;
  for (u32 i = 0; i < count; i++) {
    bool wanted;
    int error = wait_data(device, &wanted);
    if (error != 0) return error;
    if (!wanted) return -1;
    void *at = (u8 *)data + i * ATA_SECTOR;
    if (is_write(command)) out_words(device->command, at, ATA_SECTOR / 2);
    else in_words(device->command, at, ATA_SECTOR / 2);
  }
  bool more;
  int error = wait_data(device, &more);
  return error != 0 ? error : more ? -1 : 0;
}

int ata_flush(const struct ata_device *device) {
  bool data;
  outb(device->control, CONTROL_NIEN);
  if (!issue(device, (enum ata_command)FLUSH, 0, 0)) return -1;
  return wait_data(device, &data);
}

/* One sector, then one page, then the rest: entries of unlike lengths. */
static void make_table(void *data, u32 bytes) {
  u32 at = 0;
  for (u32 i = 0; at < bytes; i++) {
    u32 length = i == 0 ? ATA_SECTOR : i == 1 ? PAGE_SIZE : bytes - at;
    if (length > bytes - at) length = bytes - at;
    table[i] = (struct prd){ .address = (u32)address_of(data) + at, .bytes = (u16)length };
    at += length;
    if (at == bytes) table[i].flags = PRD_END;
  }
}

int ata_dma(const struct ata_device *device, enum ata_command command, u64 sector, u32 count, void *data) {
  u16 base = device->bus_master;
  u8 direction = is_write(command) ? 0 : BM_TO_MEMORY;
  make_table(data, count * ATA_SECTOR);
  outb(device->control, 0); /* the interrupt must get through to the bus master's status */
  outl(base + BM_TABLE, (u32)address_of(table));
  outb(base + BM_COMMAND, direction);
  outb(base + BM_STATUS, BM_ERROR | BM_INTERRUPT); /* written to clear */
  if (!issue(device, command, sector, count)) return -1;
  outb(base + BM_COMMAND, direction | BM_START);
  u8 status = 0;
  for (u32 tries = 0; tries < PATIENCE && !(status & (BM_INTERRUPT | BM_ERROR)); tries++) status = inb(base + BM_STATUS);
  outb(base + BM_COMMAND, direction);
  outb(base + BM_STATUS, BM_ERROR | BM_INTERRUPT);
  bool more;
  int error = wait_data(device, &more);
  if (error != 0) return error;
  return (status & (BM_INTERRUPT | BM_ERROR | BM_ACTIVE)) == BM_INTERRUPT && !more ? 0 : -2;
}

int ata_packet(const struct ata_device *device, const u8 packet[12], void *data, u32 limit) {
  u16 base = device->command;
  outb(device->control, CONTROL_NIEN);
  select(device);
  if (!ready(device)) return -1;
  outb(base + ERROR, 0); /* features: PIO */
  outb(base + BYTE_COUNT_LOW, PACKET_LIMIT & 0xff);
  outb(base + BYTE_COUNT_HIGH, PACKET_LIMIT >> 8);
  outb(base + STATUS, PACKET);
  bool wanted;
  if (wait_data(device, &wanted) != 0 || !wanted) return -1;
  out_words(base, packet, 6);
  u32 done = 0;
  for (;;) {
    int error = wait_data(device, &wanted);
    if (error != 0) return error < 0 ? error : -2 - (error >> 4 & 0x0f);
    if (!wanted) return (int)done;
    u32 bytes = inb(base + BYTE_COUNT_LOW) | (u32)inb(base + BYTE_COUNT_HIGH) << 8;
    if (bytes == 0 || done + bytes > limit) return -1;
    in_words(base, (u8 *)data + done, (bytes + 1) / 2);
    done += bytes;
  }
}

int cd_packet(const struct ata_device *device, const u8 packet[12], void *data, u32 limit) {
  enum { UNIT_ATTENTION = 6, ATTENTIONS = 4 };
  for (int i = 0;; i++) {
    int result = ata_packet(device, packet, data, limit);
    if (result != -2 - UNIT_ATTENTION || i == ATTENTIONS) return result;
  }
}

int cd_read(const struct ata_device *device, u32 block, u32 count, void *data) {
  const u8 packet[12] = { 0x28, 0, (u8)(block >> 24), (u8)(block >> 16), (u8)(block >> 8), (u8)block,
                          0,    (u8)(count >> 8), (u8)count };
  return cd_packet(device, packet, data, count * CD_BLOCK);
}
