/* What a disk's area must hold: the generation of each sector, as far as this life of the guest knows. */
#ifndef STRESS_AREA_H
#define STRESS_AREA_H

#include "stamp.h"
#include "stress.h"

struct area {
  struct workload *owner;
  /* As stamps have it. */
  u32 disk;
  /* Of the last write. */
  u32 generation;
  /* By sector; 0 where an earlier life wrote, or a discard left what it liked: any stamp of the sector's own, or zeros. */
  u32 written[STAMP_AREA];
};

/* Random, of 1 to `max` sectors, most of them short. */
void area_choose(u32 max, u32 *sector, u32 *count);
/* Makes up what is to be written; to be told once it is. */
void area_fill(struct area *area, void *data, u32 sector, u32 count);
void area_wrote(struct area *area, u32 sector, u32 count);
/* Nobody knows what is there now. */
void area_forget(struct area *area, u32 sector, u32 count);
/* Looks at what was read; a failure when it is not what was written. */
void area_check(struct area *area, u8 *data, u32 sector, u32 count);

/* Over the generations of sectors that were read. */
u32 area_sum(const struct area *area, const u8 *data, u32 sector, u32 count);
/* Says on the console what the sum over the whole area is, for the host to compare. */
void area_tell(const struct area *area, u32 sum);

#endif
