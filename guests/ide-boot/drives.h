/* What is plugged into a PIIX3's two IDE channels. */
#ifndef IDE_BOOT_DRIVES_H
#define IDE_BOOT_DRIVES_H

#include "../lib/ata.h"

#define DRIVES 4

/* Primary master and slave, secondary master and slave, as find_drives left them. */
extern struct ata_device drives[DRIVES];

/* Turns the function's ports and bus master on, and asks every drive who it is. */
void find_drives(void);
/* The first drive of this kind, or NULL. */
const struct ata_device *first_drive(enum ata_kind kind);

#endif
