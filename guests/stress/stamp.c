/* Sectors that say what they are (stamp.h). */
#include "stamp.h"

#define WORDS (STAMP_SECTOR / 8)
/* "stress", the disk's number and the sector's. */
#define FIRST_WORD(disk, sector) (0x7374726573730000ull | (u64)(disk) << 12 | (sector))
/* Every word of the rest follows from the first two. */
#define STEP 0x9e3779b97f4a7c15ull

static u64 start_of(u64 first, u64 generation) { return (first ^ generation << 32) * STEP; }

void stamp_write(void *at, u32 disk, u32 sector, u32 generation) {
  u64 *words = at;
  words[0] = FIRST_WORD(disk, sector);
  words[1] = generation;
  u64 word = start_of(words[0], generation);
  for (u32 i = 2; i < WORDS; i++) words[i] = word += STEP;
}

s64 stamp_read(const void *at, u32 disk, u32 sector) {
  const u64 *words = at;
  u64 zeros = words[0] | words[1];
  u64 word = start_of(words[0], words[1]), wrong = 0;
  for (u32 i = 2; i < WORDS; i++) {
    zeros |= words[i];
    wrong |= words[i] ^ (word += STEP);
  }
  if (zeros == 0) return 0;
  if (wrong != 0 || words[0] != FIRST_WORD(disk, sector) || words[1] == 0 || words[1] > 0xffffffff) return -1;
  return (s64)words[1];
}

u32 stamp_share(u32 sector, u32 generation) { return (sector * 0x9e3779b1u) ^ (generation * 0x85ebca77u); }
