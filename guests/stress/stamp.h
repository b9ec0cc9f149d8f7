/* Sectors that say what they are: of which disk, where, and of which writing; and a checksum over every byte. */
#ifndef STRESS_STAMP_H
#define STRESS_STAMP_H

#include "../lib/types.h"

#define STAMP_SECTOR 512
/* Sectors of a disk that are written to, from 0 on; [stress/disk-image.ts] has the same number. */
#define STAMP_AREA 256

void stamp_write(void *at, u32 disk, u32 sector, u32 generation);
/* The generation; 0 for a sector of zeros, -1 for anything else. */
s64 stamp_read(const void *at, u32 disk, u32 sector);
/* Part of the sum over a disk, in which every sector's generation is seen. */
u32 stamp_share(u32 sector, u32 generation);

#endif
