/* The little of ACPI that a guest of ours needs: which processors and interrupt controllers there are. */
#ifndef GUEST_ACPI_H
#define GUEST_ACPI_H

#include "boot.h"

#define MAX_CPUS 8

struct acpi_machine {
  u32 cpus;
  u32 apic_ids[MAX_CPUS], processor_ids[MAX_CPUS];
  /* 0 when there is none. */
  u64 ioapic;
};

/* Reads the MADT. False when there is none; `cpus` is then 1. Processors beyond MAX_CPUS are left out. */
bool acpi_read(const struct boot_info *boot, struct acpi_machine *machine);

#endif
