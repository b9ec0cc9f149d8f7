/*
 * Ways to end or to reset a PC (power.h).
 *
 * [ACPI] 6.5: FADT 5.2.9, reset register 4.8.3.6, S5 7.4.2 and 16.1.4; [PIIX3] reset control register 0xcf9
 */
#include "power.h"

#include "../lib/acpi.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define RESET_CONTROL 0xcf9
#define RESET_CONTROL_HARD 0x06
#define KBC_COMMAND 0x64
#define KBC_PULSE_RESET 0xfe
#define SPACE_IO 1
#define SLP_EN 0x2000
/* Reads of a port while the machine may take its time to die. */
#define PATIENCE 20000

/* [ACPI] 5.2.9: offsets into the FADT. */
enum { FADT_DSDT = 40, FADT_PM1A_CONTROL = 64, FADT_RESET_REGISTER = 116, FADT_RESET_VALUE = 128 };

static u32 word_at(const void *table, u32 offset) {
  u32 value;
  memcpy(&value, (const u8 *)table + offset, sizeof value);
  return value;
}

static void wait(void) {
  for (u32 i = 0; i < PATIENCE; i++) inb(0x80);
}

static void reset_by_acpi(const struct boot_info *boot) {
  const u8 *fadt = acpi_table(boot, "FACP");
  if (fadt == NULL || word_at(fadt, 4) <= FADT_RESET_VALUE || fadt[FADT_RESET_REGISTER] != SPACE_IO) return;
  outb((u16)word_at(fadt, FADT_RESET_REGISTER + 4), fadt[FADT_RESET_VALUE]);
}

static void triple_fault(void) {
  static const struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) none = { 0, 0 };
  __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

void reset_machine(const struct boot_info *boot) {
  if (boot_listed(boot, "reset", "cf9")) outb(RESET_CONTROL, RESET_CONTROL_HARD);
  else if (boot_listed(boot, "reset", "kbc")) outb(KBC_COMMAND, KBC_PULSE_RESET);
  else if (boot_listed(boot, "reset", "acpi")) reset_by_acpi(boot);
  else if (boot_listed(boot, "reset", "triple")) triple_fault();
  wait();
}

/* The first element of the package \_S5: SLP_TYP. -1 when there is none. */
static int sleep_type(const u8 *dsdt) {
  enum { PACKAGE = 0x12, BYTE = 0x0a };
  u32 length = word_at(dsdt, 4);
  for (u32 at = 36; at + 8 < length; at++) {
    if (memcmp(dsdt + at, "_S5_", 4) != 0 || dsdt[at + 4] != PACKAGE) continue;
    const u8 *element = dsdt + at + 5 + (dsdt[at + 5] >> 6) + 2; /* after the package's length and count */
    return *element == BYTE ? element[1] : *element;
  }
  return -1;
}

void power_off(const struct boot_info *boot) {
  const u8 *fadt = acpi_table(boot, "FACP");
  if (fadt == NULL) return;
  int type = sleep_type(pointer_to(word_at(fadt, FADT_DSDT)));
  if (type < 0) return;
  outw((u16)word_at(fadt, FADT_PM1A_CONTROL), (u16)(SLP_EN | type << 10));
  wait();
}
