/* The little of ACPI that a guest of ours needs: which processors and interrupt controllers there are. */
#ifndef GUEST_ACPI_H
#define GUEST_ACPI_H

#include "boot.h"

#define MAX_CPUS 64

struct acpi_machine {
  u32 cpus;
  u32 apic_ids[MAX_CPUS], processor_ids[MAX_CPUS];
  /* 0 when there is none. */
  u64 ioapic;
};

/* Reads the MADT. False when there is none; `cpus` is then 1. Processors beyond MAX_CPUS are left out. */
bool acpi_read(const struct boot_info *boot, struct acpi_machine *machine);
/* The table with this signature, from its header on, or NULL. */
const void *acpi_table(const struct boot_info *boot, const char *signature);

/* The FADT's registers by which a guest resets its machine and switches it off. */
struct acpi_fadt {
  u16 pm1a_control; /* port */
  u16 reset_port;   /* 0 when there is no reset register */
  u8 reset_value;
};

/* False when there is no FADT. */
bool acpi_find_fadt(const struct boot_info *boot, struct acpi_fadt *fadt);

#endif
