/* Helpers of the disk checks (disk-io.h). */
#include "disk-io.h"

#include "../lib/grants.h"
#include "../lib/string.h"

/* "XENOLITH" in the first sector's first word says that the disk is for us to scribble on. */
#define SCRATCH_MARK 0x48544c4f4e4558ull
#define WORDS (SECTOR_SIZE / 8)
/* Room that the checks count on, in sectors. */
#define NEEDED_SECTORS 2048

u8 data_pages[DATA_PAGES][PAGE_SIZE] PAGE_ALIGNED;
struct blkfront disk;

static struct blkfront_options options_in_use;
static enum { UNKNOWN, SCRATCH, PRECIOUS } contents;

void fill_sector(void *at, u64 sector, u32 generation) {
  u64 *words = at;
  u64 word = (sector + 1) * 0x9e3779b97f4a7c15ull + generation;
  u64 sum = words[0] = SCRATCH_MARK ^ sector;
  for (u32 i = 1; i < WORDS - 1; i++) {
    words[i] = word;
    sum += word;
    word += 0x0101010101010101ull;
  }
  words[WORDS - 1] = sum;
}

bool sector_is(const void *at, u64 sector, u32 generation) {
  u64 expected[WORDS];
  fill_sector(expected, sector, generation);
  return memcmp(at, expected, 8) == 0 && ((const u64 *)at)[WORDS - 1] == expected[WORDS - 1] &&
         ((const u64 *)at)[1] == expected[1] && ((const u64 *)at)[WORDS - 2] == expected[WORDS - 2];
}

bool grant_data(grant_ref_t *refs, u32 count, bool read_only) {
  for (u32 i = 0; i < count; i++) {
    refs[i] = grant_page(disk.domid, data_pages[i], read_only);
    if (refs[i] != 0) continue;
    fail("grants have run out");
    return false;
  }
  return true;
}

void end_grants(const grant_ref_t *refs, u32 count) {
  for (u32 i = 0; i < count; i++) EXPECT(grant_end(refs[i]), "the back end still uses grant %u", refs[i]);
}

int transfer(u8 operation, u64 sector, u32 pages) {
  grant_ref_t refs[BLKIF_MAX_SEGMENTS];
  if (!grant_data(refs, pages, operation == BLKIF_OP_WRITE)) return BLKFRONT_NO_ANSWER;
  union blkif_request *request = blkfront_prepare(&disk, operation, 1);
  request->rw.nr_segments = (u8)pages;
  request->rw.sector_number = sector;
  for (u32 i = 0; i < pages; i++) {
    request->rw.segments[i] = (struct blkif_segment){ refs[i], 0, SECTORS_PER_PAGE - 1 };
  }
  int result = blkfront_run(&disk, 1);
  end_grants(refs, pages);
  return result;
}

void write_and_check(u64 sector, u32 pages, u32 generation) {
  for (u32 i = 0; i < pages * SECTORS_PER_PAGE; i++) {
    fill_sector(data_pages[0] + i * SECTOR_SIZE, sector + i, generation);
  }
  int written = transfer(BLKIF_OP_WRITE, sector, pages);
  REQUIRE(written == BLKIF_RSP_OKAY, "writing %u pages at %lu gives %d", pages, sector, written);
  memset(data_pages, 0, pages * PAGE_SIZE);
  int read = transfer(BLKIF_OP_READ, sector, pages);
  REQUIRE(read == BLKIF_RSP_OKAY, "reading %u pages at %lu gives %d", pages, sector, read);
  for (u32 i = 0; i < pages * SECTORS_PER_PAGE; i++) {
    EXPECT(sector_is(data_pages[0] + i * SECTOR_SIZE, sector + i, generation), "sector %lu comes back changed", sector + i);
  }
}

bool disk_close(void) {
  if (!disk.connected) return true;
  const char *problem = blkfront_disconnect(&disk);
  if (problem != NULL) fail("%s", problem);
  return problem == NULL;
}

bool disk_open_any(struct blkfront_options options) {
  if (disk.connected && options.persistent == options_in_use.persistent && options.ring_order == options_in_use.ring_order) {
    return true;
  }
  if (!disk_close()) return false;
  if (!blkfront_find(&disk, 0)) {
    skip("there is no PV disk");
    return false;
  }
  const char *problem = blkfront_connect(&disk, options);
  if (problem != NULL) fail("%s", problem);
  options_in_use = options;
  return problem == NULL;
}

/* Only an empty disk, or one marked by an earlier run, may be written. */
static void look_at_contents(void) {
  u64 *words = (u64 *)data_pages[0];
  if (transfer(BLKIF_OP_READ, 0, 1) != BLKIF_RSP_OKAY) return;
  bool empty = true;
  for (u32 i = 0; i < PAGE_SIZE / 8; i++) empty &= words[i] == 0;
  contents = empty || words[0] == SCRATCH_MARK ? SCRATCH : PRECIOUS;
}

bool disk_open(struct blkfront_options options) {
  if (!disk_open_any(options)) return false;
  if (contents == UNKNOWN) look_at_contents();
  if (contents == SCRATCH && disk.writable && disk.sectors >= NEEDED_SECTORS) return true;
  if (contents == UNKNOWN) fail("the first sectors cannot be read");
  else if (!disk.writable) skip("the disk is read-only");
  else if (disk.sectors < NEEDED_SECTORS) skip("the disk has only %lu sectors", disk.sectors);
  else skip("the disk holds data of others");
  return false;
}
