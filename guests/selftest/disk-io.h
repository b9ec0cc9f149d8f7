/* What the disk checks share: one connection, granted pages, and sectors that carry their own checksum. */
#ifndef SELFTEST_DISK_IO_H
#define SELFTEST_DISK_IO_H

#include "../lib/blkfront.h"
#include "check.h"

/* Pages for data. */
#define DATA_PAGES 72
extern u8 data_pages[DATA_PAGES][PAGE_SIZE];
extern struct blkfront disk;

/*
 * Connects (again, when the options differ) and makes sure that nothing is on the disk but what this guest wrote. False
 * after skip() or fail().
 */
bool disk_open(struct blkfront_options options);
bool disk_close(void);
#define DEFAULT_OPTIONS ((struct blkfront_options){ 0 })
/* Also for disks that cannot be written. */
bool disk_open_any(struct blkfront_options options);

/* Grants of data_pages[0 .. count) to the back end; false, after fail(), when there are too few. */
bool grant_data(grant_ref_t *refs, u32 count, bool read_only);
/* Takes them back; fails when the back end still uses one. */
void end_grants(const grant_ref_t *refs, u32 count);

/* Fills one sector: its number and generation, a sequence, and a checksum of it all. */
void fill_sector(void *at, u64 sector, u32 generation);
/* True when `at` holds what fill_sector put there. */
bool sector_is(const void *at, u64 sector, u32 generation);

/* Transfers whole pages, data_pages[0 .. pages) from `sector` on, by one request; the result. */
int transfer(u8 operation, u64 sector, u32 pages);
/* Writes `pages` pages at `sector`, clears memory, reads them back and checks them. */
void write_and_check(u64 sector, u32 pages, u32 generation);

#endif
