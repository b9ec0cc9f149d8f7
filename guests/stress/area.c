/* What a disk's area must hold (area.h). */
#include "area.h"

#include "../lib/console.h"

#define SHORT 8

void area_choose(u32 max, u32 *sector, u32 *count) {
  *count = 1 + random_below(random_below(4) == 0 ? max : SHORT);
  *sector = random_below(STAMP_AREA - *count);
}

void area_fill(struct area *area, void *data, u32 sector, u32 count) {
  area->generation++;
  for (u32 i = 0; i < count; i++) stamp_write((u8 *)data + i * STAMP_SECTOR, area->disk, sector + i, area->generation);
}

void area_wrote(struct area *area, u32 sector, u32 count) {
  for (u32 i = 0; i < count; i++) area->written[sector + i] = area->generation;
}

void area_forget(struct area *area, u32 sector, u32 count) {
  for (u32 i = 0; i < count; i++) area->written[sector + i] = 0;
}

void area_check(struct area *area, u8 *data, u32 sector, u32 count) {
  if (planted(PLANT_WRONG_BYTE)) data[random_below(count * STAMP_SECTOR)] ^= 1;
  for (u32 i = 0; i < count; i++) {
    s64 found = stamp_read(data + i * STAMP_SECTOR, area->disk, sector + i);
    u32 wanted = area->written[sector + i];
    if (found == -1) failure(area->owner, "sector %u of disk %u has wrong bytes", sector + i, area->disk);
    else if (wanted != 0 && found != wanted) {
      failure(area->owner, "sector %u of disk %u is of write %lu, not %u", sector + i, area->disk, (u64)found, wanted);
    }
  }
}

u32 area_sum(const struct area *area, const u8 *data, u32 sector, u32 count) {
  u32 sum = 0;
  for (u32 i = 0; i < count; i++) {
    s64 found = stamp_read(data + i * STAMP_SECTOR, area->disk, sector + i);
    sum += stamp_share(sector + i, found > 0 ? (u32)found : 0);
  }
  return sum;
}

void area_tell(const struct area *area, u32 sum) { print("sum %u %u\n", area->disk, sum); }
