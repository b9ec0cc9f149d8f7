/*
 * A whole small life: finds its PV disk, writes it, flushes, reads it back, resets the machine, finds what it has
 * written, and powers off. For specs that let the host fail under it: whatever goes wrong is one line.
 *
 * Command line: `starts=N` is the number of starts (2 when left out); `forever` writes one generation after the other
 * instead, and says of each when it has been flushed.
 */
#include "../lib/blkfront.h"
#include "../lib/console.h"
#include "../lib/format.h"
#include "../lib/grants.h"
#include "../lib/hypercall.h"
#include "../lib/setup.h"
#include "../lib/string.h"
#include "../lib/xs.h"

#define PAGES 2
#define SECTOR_SIZE 512
#define SECTORS (PAGES * PAGE_SIZE / SECTOR_SIZE)
#define WORDS (SECTOR_SIZE / 8)
#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)
/* "LIFE" in the upper half of each sector's first word; the sector's number below. */
#define SECTOR_MARK 0x4546494c00000000ull

/* Survives resets: RAM keeps its contents, and the loader does not come here. */
#define RECORD 0x1800000
#define RECORD_MAGIC 0x4c49464521212121ull
struct record {
  u64 magic, starts;
};

static u8 data[PAGES][PAGE_SIZE] PAGE_ALIGNED;
static struct setup machine;
static struct blkfront disk;

NORETURN static void wrong(const char *what, long result) {
  print("wrong: %s (%ld)\n", what, result);
  finish(1);
}

static int transfer(u8 operation) {
  grant_ref_t refs[PAGES];
  union blkif_request *request = blkfront_prepare(&disk, operation, 1);
  request->rw.nr_segments = PAGES;
  request->rw.sector_number = 0;
  for (u32 i = 0; i < PAGES; i++) {
    refs[i] = grant_page(disk.domid, data[i], operation == BLKIF_OP_WRITE);
    request->rw.segments[i] = (struct blkif_segment){ refs[i], 0, PAGE_SECTORS - 1 };
  }
  int result = blkfront_run(&disk, 1);
  for (u32 i = 0; i < PAGES; i++) grant_end(refs[i]);
  return result;
}

static int flush(void) {
  blkfront_prepare(&disk, BLKIF_OP_FLUSH_DISKCACHE, 2);
  return blkfront_run(&disk, 2);
}

/* Each word of a sector but the first is its generation. */
static void fill(u64 generation) {
  for (u32 sector = 0; sector < SECTORS; sector++) {
    u64 *words = (u64 *)(data[0] + sector * SECTOR_SIZE);
    words[0] = SECTOR_MARK | sector;
    for (u32 i = 1; i < WORDS; i++) words[i] = generation;
  }
}

static bool holds(u64 generation) {
  for (u32 sector = 0; sector < SECTORS; sector++) {
    const u64 *words = (const u64 *)(data[0] + sector * SECTOR_SIZE);
    if (words[0] != (SECTOR_MARK | sector)) return false;
    for (u32 i = 1; i < WORDS; i++) {
      if (words[i] != generation) return false;
    }
  }
  return true;
}

static void expect_generation(u64 generation) {
  memset(data, 0, sizeof data);
  int result = transfer(BLKIF_OP_READ);
  if (result != BLKIF_RSP_OKAY) wrong("reading", result);
  if (!holds(generation)) wrong("the disk does not hold what was written", (long)generation);
}

static void write_generation(u64 generation) {
  fill(generation);
  int result = transfer(BLKIF_OP_WRITE);
  if (result != BLKIF_RSP_OKAY) wrong("writing", result);
  result = flush();
  if (result != BLKIF_RSP_OKAY) wrong("flushing", result);
}

void guest_main(const struct boot_info *boot) {
  struct record *record = pointer_to(RECORD);
  if (record->magic != RECORD_MAGIC) *record = (struct record){ .magic = RECORD_MAGIC };
  record->starts++;
  console_init(boot);
  setup_guest(boot, &machine);
  if (!blkfront_find(&disk, 0)) wrong("there is no disk", 0);
  const char *problem = blkfront_connect(&disk, (struct blkfront_options){ 0 });
  if (problem != NULL) wrong(problem, 0);
  if (record->starts > 1) expect_generation(record->starts - 1);
  for (u64 generation = 1; boot_flag(boot, "forever"); generation++) {
    write_generation(generation);
    print("flushed %lu\n", generation);
  }
  write_generation(record->starts);
  expect_generation(record->starts);
  print("life %lu\n", record->starts);
  if (record->starts >= boot_number(boot, "starts", 2)) finish(0);
  console_flush();
  shutdown(SHUTDOWN_reboot);
}
