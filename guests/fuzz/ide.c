/* IDE registers in any order, with any commands and packets, and bus-master runs over any PRD table. */
#include "fuzz.h"

#include "../lib/ata.h"
#include "../lib/pci.h"
#include "../lib/x86.h"

#define PIIX3_IDE_ID 0x70108086u
#define BUS_MASTER_BAR 4
#define CHANNELS 2

/* [ATA-6] 7: offsets from a channel's command block. [BMIDE] 1.2: from its bus master's registers. */
enum { DATA, FEATURES, SECTOR_COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, COMMAND };
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };
#define PRDS 16

static const u16 blocks[CHANNELS] = { 0x1f0, 0x170 };
static const u16 controls[CHANNELS] = { 0x3f6, 0x376 };
static const u8 commands[] = {
  0x00, 0x08, 0x20, 0x21, 0x24, 0x25, 0x27, 0x29, 0x30, 0x31, 0x34, 0x35, 0x39, 0x40, 0x42, 0x60, 0x70, 0x90, 0x91, 0xa0,
  0xa1, 0xb0, 0xc4, 0xc5, 0xc6, 0xc8, 0xc9, 0xca, 0xcb, 0xe0, 0xe1, 0xe5, 0xe7, 0xea, 0xec, 0xef, 0xf8,
};
static const u8 selections[] = { 0xa0, 0xb0, 0xe0, 0xf0 };
static const u8 starts[] = { 0x00, 0x01, 0x08, 0x09 };

static u32 table[CHANNELS][PRDS][2] PAGE_ALIGNED;
static u16 bus_master;

static void change_table(struct draw *draw, u32 channel) {
  u32 *entry = table[channel][draw_below(draw, PRDS)];
  entry[0] = draw_one_in(draw, 40) ? draw_word(draw) : (u32)draw_address(draw);
  entry[1] = draw_one_in(draw, 8) ? draw_word(draw) : draw_below(draw, 0x1000) | (draw_one_in(draw, 2) ? 0x80000000 : 0);
  outl((u16)(bus_master + channel * 8 + BM_TABLE), draw_one_in(draw, 16) ? draw_word(draw) : (u32)address_of(table[channel]));
}

/* A whole command: parameters that are small or any, then its code; a data phase is gone through in part. */
static void command(struct draw *draw, u32 channel) {
  u16 at = blocks[channel];
  outb(at + DEVICE, DRAW_OF(draw, selections));
  for (u32 i = 0; i < 8; i++) {
    outb((u16)(at + SECTOR_COUNT + draw_below(draw, 4)), draw_one_in(draw, 3) ? (u8)draw_word(draw) : (u8)draw_below(draw, 4));
  }
  if (draw_one_in(draw, 3)) outb(at + FEATURES, (u8)draw_word(draw));
  outb(at + COMMAND, draw_one_in(draw, 8) ? (u8)draw_word(draw) : DRAW_OF(draw, commands));
  if (draw_one_in(draw, 2)) outb((u16)(bus_master + channel * 8 + BM_COMMAND), DRAW_OF(draw, starts));
  u32 units = draw_below(draw, 300);
  void *memory = arena[draw_below(draw, ARENA_PAGES - 1)];
  u16 port = at + DATA;
  u64 count = units;
  if (!(inb(controls[channel]) & STATUS_DRQ)) return;
  if (draw_one_in(draw, 2)) __asm__ volatile("rep insw" : "+D"(memory), "+c"(count) : "d"(port) : "memory");
  else __asm__ volatile("rep outsw" : "+S"(memory), "+c"(count) : "d"(port) : "memory");
}

static void access(struct draw *draw, u32 channel) {
  u32 kind = draw_below(draw, 8);
  u16 port = (u16)(blocks[channel] + draw_below(draw, 8));
  if (kind == 0) port = controls[channel];
  else if (kind < 3) port = (u16)(bus_master + draw_below(draw, 16));
  u32 width = draw_below(draw, 6);
  u32 value = draw_word(draw);
  bool store = draw_one_in(draw, 2);
  if (width == 4) {
    if (store) outw(port, (u16)value);
    else inw(port);
  } else if (width == 5) {
    if (store) outl(port, value);
    else inl(port);
  } else if (store) {
    outb(port, (u8)value);
  } else {
    inb(port);
  }
}

static void step(struct draw *draw) {
  u32 channel = draw_below(draw, CHANNELS);
  u32 kind = draw_below(draw, 16);
  if (kind < 3) change_table(draw, channel);
  else if (kind < 6) command(draw, channel);
  else if (kind < 8) outb((u16)(bus_master + channel * 8 + BM_COMMAND), DRAW_OF(draw, starts));
  else access(draw, channel);
}

static const char *prepare(void) {
  int devfn = pci_find(PIIX3_IDE_ID);
  if (devfn < 0) return "no IDE function";
  bus_master = (u16)pci_bar((u32)devfn, BUS_MASTER_BAR).base;
  u32 bits = pci_read32((u32)devfn, PCI_COMMAND);
  pci_write32((u32)devfn, PCI_COMMAND, bits | PCI_COMMAND_MASTER | 1);
  return bus_master != 0 ? NULL : "no bus master";
}

const struct kind ide_kind = { "ide", prepare, step };
