/* Random numbers by a seed, among which those at edges are frequent (fuzz.h). */
#include "fuzz.h"

u8 arena[ARENA_PAGES][PAGE_SIZE] PAGE_ALIGNED;

/* Ends of ranges, words and pages. */
static const u32 edges[] = {
  0, 1, 2, 3, 7, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
};
/* No canonical address, the last page of 4 GiB and what is beyond, chips, a hole, video memory, none at all. */
static const u64 bad_addresses[] = {
  0x8000000000000000ull, 0xfffff000, 0x100000000ull, 0xfee00000, 0xfec00000, 0xfe000000, 0xa0000, 0,
};

/* splitmix64, by Sebastiano Vigna: public domain. */
static u64 next(struct draw *draw) {
  u64 z = draw->state += 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

void draw_seed(struct draw *draw, u64 seed) { draw->state = seed; }

u32 draw_below(struct draw *draw, u32 limit) { return (u32)((next(draw) >> 32) * limit >> 32); }

bool draw_one_in(struct draw *draw, u32 times) { return draw_below(draw, times) == 0; }

u32 draw_word(struct draw *draw) {
  switch (draw_below(draw, 4)) {
    case 0: return DRAW_OF(draw, edges);
    case 1: return draw_below(draw, 64);
    case 2: return draw_below(draw, 0x10000);
    default: return (u32)next(draw);
  }
}

u64 draw_long(struct draw *draw) {
  u64 low = draw_word(draw);
  return draw_one_in(draw, 3) ? (u64)draw_word(draw) << 32 | low : low;
}

void draw_fill(struct draw *draw, void *bytes, u32 length) {
  bool sparse = draw_one_in(draw, 2);
  u8 *to = bytes;
  u64 value = 0;
  for (u32 i = 0; i < length; i++, value >>= 8) {
    if (i % 8 == 0) value = next(draw) & (sparse ? 0xff00ull : ~0ull);
    to[i] = (u8)value;
  }
}

u64 draw_address(struct draw *draw) {
  u32 kind = draw_below(draw, 64);
  if (kind == 0) return DRAW_OF(draw, bad_addresses);
  if (kind == 1) return address_of(arena) + draw_below(draw, 0x100000);
  u64 page = address_of(arena[draw_below(draw, ARENA_PAGES)]);
  if (kind < 16) return page + PAGE_SIZE - draw_below(draw, 64);
  return page + 8 * draw_below(draw, PAGE_SIZE / 8);
}

u64 draw_frame(struct draw *draw) {
  u32 kind = draw_below(draw, 32);
  if (kind == 0) return draw_long(draw);
  if (kind == 1) return DRAW_OF(draw, bad_addresses) / PAGE_SIZE;
  return frame_of(arena) + draw_below(draw, ARENA_PAGES);
}
