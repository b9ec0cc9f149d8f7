/* Ways to end or to reset a PC. */
#ifndef IDE_BOOT_POWER_H
#define IDE_BOOT_POWER_H

#include "../lib/boot.h"

/* By `reset=` of the command line: cf9, kbc, acpi or triple. Returns when that did nothing, or cannot be done. */
void reset_machine(const struct boot_info *boot);
/* ACPI's S5. Returns when the tables do not say how. */
void power_off(const struct boot_info *boot);

#endif
