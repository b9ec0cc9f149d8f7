/* Accesses to a PC's ports, PCI configuration space, BARs and other MMIO, and model-specific registers, of any width. */
#include "fuzz.h"

#include "../lib/idt.h"
#include "../lib/pci.h"
#include "../lib/x86.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000u
#define RESET_CONTROL 0xcf9
#define KEYBOARD_COMMAND 0x64
#define PORT92 0x92
#define SLOTS 10
#define BARS 6
/* Accesses that reset or end the machine are let through once in so many. */
#define ENDS_ONE_IN 300
/* Units of one repeated access. */
#define MOST_UNITS 64
/* MSRs of Xen's, where the hypercall page's is the first; and what else is filtered or ours. */
#define MSR_XEN 0x40000000u

static const struct {
  u16 base, length;
} ranges[] = {
  { 0x10, 16 },  { 0x20, 2 },   { 0x40, 4 },   { 0x60, 5 },   { 0x70, 2 },    { 0x80, 1 },    { 0x92, 1 },
  { 0xa0, 2 },   { 0xb2, 2 },   { 0xe0, 16 },  { 0x2f8, 8 },  { 0x3f8, 8 },   { 0x4d0, 2 },   { 0x510, 12 },
  { 0x170, 8 },  { 0x1f0, 8 },  { 0x376, 1 },  { 0x3f6, 1 },  { 0xcf8, 8 },   { 0xafe0, 4 },  { 0xb000, 64 },
  { 0xc000, 0x200 },
};
/* The IOAPIC, the local APIC, a BIOS's segments, video memory, and where BARs are put. */
static const u32 windows[] = { 0xfec00000, 0xfee00000, 0xf0000, 0xc8000, 0xa0000, 0xe0000000, 0xf0000000, 0xfeb00000 };
static const u32 msrs[] = { 0x1b, 0x10, 0x3a, 0x277, 0x2ff, 0x4b564d00, 0x4b564d01, 0x4b564d02, 0xc0000102, 0x6e0 };
static const u8 registers[] = { 0x04, 0x0c, 0x10, 0x14, 0x20, 0x24, 0x30, 0x34, 0x3c, 0x40, 0x58, 0x60, 0x80 };

static struct {
  u64 base, size;
  bool io;
} bars[SLOTS * BARS];
static u32 bar_count;

static void list_bars(void) {
  for (u32 slot = 0; slot < SLOTS; slot++) {
    if (pci_read32(slot << 3, 0) == 0xffffffff) continue;
    for (u32 i = 0; i < BARS; i++) {
      struct pci_bar bar = pci_bar(slot << 3, i);
      if (bar.size == 0 || bar.base == 0) continue;
      bars[bar_count].base = bar.base;
      bars[bar_count].size = bar.size;
      bars[bar_count++].io = bar.io;
    }
  }
}

static u16 any_port(struct draw *draw) {
  u32 kind = draw_below(draw, 8);
  if (kind == 0) return (u16)draw_below(draw, 0x10000);
  if (kind == 1 && bar_count > 0) {
    u32 bar = draw_below(draw, bar_count);
    if (bars[bar].io) return (u16)(bars[bar].base + draw_below(draw, (u32)bars[bar].size));
  }
  u32 range = draw_below(draw, ARRAY_SIZE(ranges));
  return (u16)(ranges[range].base + draw_below(draw, ranges[range].length));
}

/* Whether a write would reset the machine or switch it off. */
static bool ends(u16 port, u32 width, u32 value) {
  bool reset_control = port <= RESET_CONTROL && RESET_CONTROL < port + width && port != CONFIG_ADDRESS;
  bool keyboard = port <= KEYBOARD_COMMAND && KEYBOARD_COMMAND < port + width;
  bool gate = port <= PORT92 && PORT92 < port + width && (value & 1);
  bool power = port >= 0xb000 && port < 0xb040 && (value & 0x2000);
  return reset_control || keyboard || gate || power;
}

static void access_port(struct draw *draw, u16 port, u32 width, u32 value) {
  if (draw_one_in(draw, 2)) {
    if (width == 1) inb(port);
    else if (width == 2) inw(port);
    else inl(port);
    return;
  }
  if (ends(port, width, value) && !draw_one_in(draw, ENDS_ONE_IN)) return;
  if (width == 1) outb(port, (u8)value);
  else if (width == 2) outw(port, (u16)value);
  else outl(port, value);
}

/* `rep ins` and `rep outs`, to and from the arena. */
static void repeat(struct draw *draw) {
  u16 port = any_port(draw);
  u64 units = draw_below(draw, MOST_UNITS);
  void *at = arena[draw_below(draw, ARENA_PAGES - 1)] + draw_below(draw, PAGE_SIZE);
  if (ends(port, 4, 0xffffffff)) return;
  switch (draw_below(draw, 4)) {
    case 0: __asm__ volatile("rep insb" : "+D"(at), "+c"(units) : "d"(port) : "memory"); break;
    case 1: __asm__ volatile("rep insl" : "+D"(at), "+c"(units) : "d"(port) : "memory"); break;
    case 2: __asm__ volatile("rep outsb" : "+S"(at), "+c"(units) : "d"(port) : "memory"); break;
    default: __asm__ volatile("rep outsw" : "+S"(at), "+c"(units) : "d"(port) : "memory");
  }
}

static void access_config(struct draw *draw) {
  u32 offset = draw_one_in(draw, 2) ? DRAW_OF(draw, registers) : draw_below(draw, 256);
  u32 address = CONFIG_ENABLE | draw_below(draw, SLOTS) << 11 | (draw_one_in(draw, 4) ? draw_below(draw, 8) << 8 : 0) | offset;
  outl(CONFIG_ADDRESS, draw_one_in(draw, 32) ? draw_word(draw) : address);
  access_port(draw, (u16)(CONFIG_DATA + draw_below(draw, 4)), 1u << draw_below(draw, 3), draw_word(draw));
}

static u64 any_mmio(struct draw *draw) {
  u32 kind = draw_below(draw, 4);
  if (kind == 0) return DRAW_OF(draw, windows) + draw_below(draw, PAGE_SIZE);
  if (kind == 1 || bar_count == 0) return 0xc0000000u + draw_below(draw, 0x3f000000);
  u32 bar = draw_below(draw, bar_count);
  return bars[bar].base + draw_below(draw, (u32)bars[bar].size);
}

static void access_mmio(struct draw *draw) {
  u64 address = any_mmio(draw);
  bool store = draw_one_in(draw, 2);
  u64 value = draw_long(draw);
  switch (draw_below(draw, 4)) {
    case 0:
      if (store) *(volatile u8 *)pointer_to(address) = (u8)value;
      else (void)*(volatile u8 *)pointer_to(address);
      break;
    case 1:
      if (store) *(volatile u16 *)pointer_to(address) = (u16)value;
      else (void)*(volatile u16 *)pointer_to(address);
      break;
    case 2:
      if (store) *(volatile u64 *)pointer_to(address) = value;
      else (void)*(volatile u64 *)pointer_to(address);
      break;
    default:
      if (store) *(volatile u32 *)pointer_to(address) = (u32)value;
      else (void)*(volatile u32 *)pointer_to(address);
  }
}

static void access_msr(struct draw *draw) {
  u64 value;
  u32 index = draw_one_in(draw, 3) ? MSR_XEN + draw_below(draw, 0x120) : draw_one_in(draw, 8) ? draw_word(draw) : MSR_XEN;
  if (draw_one_in(draw, 4)) index = DRAW_OF(draw, msrs);
  if (draw_one_in(draw, 3)) try_rdmsr(index, &value);
  /* Others' values would undo the guest itself. */
  else if (index >= MSR_XEN && index < MSR_XEN + 0x120) try_wrmsr(index, draw_address(draw));
}

static void step(struct draw *draw) {
  switch (draw_below(draw, 8)) {
    case 0:
    case 1: access_config(draw); break;
    case 2:
    case 3: access_mmio(draw); break;
    case 4: access_msr(draw); break;
    case 5: repeat(draw); break;
    default: access_port(draw, any_port(draw), 1u << draw_below(draw, 3), draw_word(draw));
  }
}

static const char *prepare(void) {
  list_bars();
  return bar_count > 0 ? NULL : "no BARs";
}

const struct kind port_kind = { "ports", prepare, step };
