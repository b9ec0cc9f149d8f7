/* Brings up everything that a multi-vCPU guest of ours stands on. */
#ifndef GUEST_SETUP_H
#define GUEST_SETUP_H

#include "boot.h"
#include "smp.h"

/* What happened on the way, for those who report it. Results are Xen's: 0 or a negative error. */
struct setup {
  bool xen, pv_console, acpi, all_cpus_started;
  long shared_info_result, vcpu_result[MAX_CPUS];
  struct acpi_machine machine;
};

/*
 * Console, Xen, shared_info, interrupts, event channels and all processors, in that order; interrupts are on at the end,
 * but no way of delivering events has been chosen. Goes as far as it can. Words of the command line: `xapic` keeps the APICs out of x2APIC mode, `up` starts no others.
 */
void setup_guest(const struct boot_info *boot, struct setup *setup);

#endif
