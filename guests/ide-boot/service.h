/* The boot guest's interactive part: does one thing for each byte that comes on COM1. */
#ifndef IDE_BOOT_SERVICE_H
#define IDE_BOOT_SERVICE_H

#include "../lib/ata.h"

/*
 * r: reads the data by PIO and by DMA; w: writes them and flushes; c: reads the CD; e, i: ejects and loads it; l, u: locks
 * and unlocks its tray; q: returns. Each answers with a line; an error is an answer too. Devices may be NULL.
 */
void serve(const struct ata_device *disk, const struct ata_device *cd);

#endif
