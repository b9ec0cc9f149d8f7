/* The window of check.h. Page tables: [SDM] volume 3, 4.5. */
#include "check.h"

#include "../lib/x86.h"

#define PRESENT 1
#define WRITABLE 2
#define INDEX(address, level) ((address) >> (12 + 9 * (level)) & 511)

extern u64 pml4[512];
static u64 pdpt[512] PAGE_ALIGNED, directory[512] PAGE_ALIGNED, table[512] PAGE_ALIGNED;
/* Behind the window's pages: not neighbours in memory. */
static u8 behind[2 * PROBE_PAGES][PAGE_SIZE] PAGE_ALIGNED;

u8 *probe_backing(enum probe_page page) { return behind[2 * (PROBE_PAGES - 1 - page)]; }

static void map_window(void) {
  for (u32 page = 0; page < PROBE_PAGES; page++) {
    if (page == PROBE_HOLE) continue;
    u64 flags = PRESENT | (page == PROBE_READ_ONLY ? 0 : WRITABLE);
    table[page] = address_of(probe_backing(page)) | flags;
  }
  directory[INDEX(PROBE_BASE, 1)] = address_of(table) | PRESENT | WRITABLE;
  pdpt[INDEX(PROBE_BASE, 2)] = address_of(directory) | PRESENT | WRITABLE;
  pml4[INDEX(PROBE_BASE, 3)] = address_of(pdpt) | PRESENT | WRITABLE;
}

void *stale_frame_window(u32 slot, u64 frame) {
  probe(PROBE_FIRST, 0);
  u32 page = PROBE_PAGES + slot;
  table[page] = frame * PAGE_SIZE | PRESENT | WRITABLE;
  return pointer_to(PROBE_BASE + (u64)page * PAGE_SIZE);
}

void *frame_window(u32 slot, u64 frame) {
  void *window = stale_frame_window(slot, frame);
  invlpg(address_of(window));
  return window;
}

void *probe(enum probe_page page, u32 offset) {
  if (pml4[INDEX(PROBE_BASE, 3)] == 0) map_window();
  return pointer_to(PROBE_BASE + (u64)page * PAGE_SIZE + offset);
}
