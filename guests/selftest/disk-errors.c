/* A front end that makes mistakes: each is answered by an error, and the ring goes on. */
#include "disk-io.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/format.h"
#include "../lib/grants.h"
#include "../lib/xs.h"

#define UNUSED_REF 900
/* A frame where there is no memory. */
#define HOLE_FRAME 0xfe000

/* One segment of data_pages[0] by `ref`, sectors first to last. */
static int one_segment(u8 operation, u64 sector, struct blkif_segment segment) {
  union blkif_request *request = blkfront_prepare(&disk, operation, 1);
  request->rw.nr_segments = 1;
  request->rw.sector_number = sector;
  request->rw.segments[0] = segment;
  return blkfront_run(&disk, 1);
}

static void expect_refused(int result, const char *what) {
  EXPECT(result == BLKIF_RSP_ERROR || result == BLKIF_RSP_EOPNOTSUPP, "%s gives %d", what, result);
}

static void expect_alive(void) {
  if (failed()) return;
  if (disk.writable) write_and_check(40, 1, 80);
  else EXPECT_EQ(transfer(BLKIF_OP_READ, 0, 1), BLKIF_RSP_OKAY);
}

CHECK(out_of_range, "disk", "sectors past the end are refused") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  expect_refused(transfer(BLKIF_OP_READ, disk.sectors, 1), "reading at the end");
  expect_refused(transfer(BLKIF_OP_WRITE, disk.sectors - 4, 1), "writing across the end");
  expect_refused(transfer(BLKIF_OP_READ, ~0ull - 3, 1), "reading at 2^64 - 4");
  expect_refused(transfer(BLKIF_OP_WRITE, 1ull << 55, 1), "writing at 2^55");
  expect_alive();
}

CHECK(bad_segments, "disk", "segments that end before they begin, or past the page, are refused") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  grant_ref_t ref;
  if (!grant_data(&ref, 1, false)) return;
  expect_refused(one_segment(BLKIF_OP_READ, 0, (struct blkif_segment){ ref, 5, 4 }), "5 to 4");
  expect_refused(one_segment(BLKIF_OP_READ, 0, (struct blkif_segment){ ref, 0, 8 }), "0 to 8");
  expect_refused(one_segment(BLKIF_OP_READ, 0, (struct blkif_segment){ ref, 200, 255 }), "200 to 255");
  union blkif_request *request = blkfront_prepare(&disk, BLKIF_OP_READ, 1);
  request->rw.nr_segments = BLKIF_MAX_SEGMENTS + 1;
  expect_refused(blkfront_run(&disk, 1), "12 segments");
  request = blkfront_prepare(&disk, BLKIF_OP_WRITE, 1);
  request->rw.nr_segments = 255;
  expect_refused(blkfront_run(&disk, 1), "255 segments");
  end_grants(&ref, 1);
  expect_alive();
}

CHECK(unknown_operation, "disk", "unknown operations are refused") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  static const u8 operations[] = { 4, 7, 100, 255 };
  for (u32 i = 0; i < ARRAY_SIZE(operations); i++) {
    blkfront_prepare(&disk, operations[i], 1);
    expect_refused(blkfront_run(&disk, 1), "an unknown operation");
  }
  expect_alive();
}

CHECK(bad_grants, "disk", "grants that are none, or not the back end's, or of no memory, are refused") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  expect_refused(one_segment(BLKIF_OP_READ, 0, (struct blkif_segment){ 0xffffffff, 0, 7 }), "grant 2^32 - 1");
  expect_refused(one_segment(BLKIF_OP_READ, 0, (struct blkif_segment){ UNUSED_REF, 0, 7 }), "an unused grant");
  grant_ref_t hole = grant_frame(disk.domid, HOLE_FRAME, false);
  expect_refused(one_segment(BLKIF_OP_READ, 0, (struct blkif_segment){ hole, 0, 7 }), "a grant of no memory");
  grant_ref_t stranger = grant_page(77, data_pages[0], false);
  expect_refused(one_segment(BLKIF_OP_READ, 0, (struct blkif_segment){ stranger, 0, 7 }), "another domain's grant");
  end_grants(&hole, 1);
  end_grants(&stranger, 1);
  expect_alive();
}

CHECK(read_only_grant, "disk", "a read-only grant serves writes and not reads") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  grant_ref_t ref;
  fill_sector(data_pages[0], 48, 90);
  if (!grant_data(&ref, 1, true)) return;
  EXPECT_EQ(one_segment(BLKIF_OP_WRITE, 48, (struct blkif_segment){ ref, 0, 0 }), BLKIF_RSP_OKAY);
  expect_refused(one_segment(BLKIF_OP_READ, 48, (struct blkif_segment){ ref, 0, 0 }), "reading into it");
  end_grants(&ref, 1);
  expect_alive();
}

CHECK(read_only_disk, "disk", "a read-only disk is not written") {
  if (!disk_open_any(DEFAULT_OPTIONS)) return;
  if (disk.writable) return skip("the disk is writable");
  expect_refused(transfer(BLKIF_OP_WRITE, 0, 1), "writing");
  expect_alive();
}

CHECK(bad_discard, "disk", "discards past the end are refused") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  static const struct { u64 sector, count; } ranges[] = { { 0, ~0ull }, { ~0ull, 8 }, { 1ull << 63, 1ull << 63 } };
  for (u32 i = 0; i < ARRAY_SIZE(ranges); i++) {
    union blkif_request *request = blkfront_prepare(&disk, BLKIF_OP_DISCARD, 1);
    request->discard.sector_number = ranges[i].sector;
    request->discard.nr_sectors = ranges[i].count;
    expect_refused(blkfront_run(&disk, 1), "one of them");
  }
  expect_alive();
}

static int indirect(u8 operation, u16 count, grant_ref_t list) {
  union blkif_request *request = blkfront_prepare(&disk, BLKIF_OP_INDIRECT, 1);
  request->indirect.indirect_op = operation;
  request->indirect.nr_segments = count;
  request->indirect.handle = disk.handle;
  for (u32 i = 0; i < BLKIF_MAX_INDIRECT_PAGES; i++) request->indirect.indirect_grefs[i] = list;
  return blkfront_run(&disk, 1);
}

CHECK(bad_indirect, "disk", "indirect requests of nonsense are refused") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  static struct blkif_segment garbage[SEGMENTS_PER_PAGE] PAGE_ALIGNED;
  for (u32 i = 0; i < SEGMENTS_PER_PAGE; i++) garbage[i] = (struct blkif_segment){ i * 0x01010101u, (u8)i, (u8)(i * 3) };
  grant_ref_t list = grant_page(disk.domid, garbage, false);
  expect_refused(indirect(BLKIF_OP_INDIRECT, 8, list), "indirect inside indirect");
  expect_refused(indirect(BLKIF_OP_DISCARD, 8, list), "discard inside indirect");
  expect_refused(indirect(BLKIF_OP_READ, 0xffff, list), "65535 segments");
  expect_refused(indirect(BLKIF_OP_READ, 16, 0xffffffff), "a list behind no grant");
  expect_refused(indirect(BLKIF_OP_READ, 16, list), "a list of garbage");
  end_grants(&list, 1);
  expect_alive();
}

CHECK(lying_index, "disk", "a producer index that lies stops the ring, and a new connection works") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  disk.ring->req_prod = disk.rsp_cons + disk.entries + 1;
  evtchn_send(disk.port);
  WAIT_FOR(false, 50 * MS);
  if (!disk_close() || !disk_open(DEFAULT_OPTIONS)) return;
  expect_alive();
}

/* Writes nonsense to nodes of the front end, lets the back end look at it, and starts anew. */
static void negotiate_nonsense(const char *name, const char *nonsense) {
  char path[112];
  if (!disk_close()) return;
  format(path, sizeof path, "%s/%s", disk.path, name);
  xs_write(0, path, nonsense);
  format(path, sizeof path, "%s/state", disk.path);
  xs_write(0, path, "3");
  WAIT_FOR(false, 30 * MS);
  xs_write(0, path, "5");
  WAIT_FOR(false, 10 * MS);
  xs_write(0, path, "6");
  WAIT_FOR(false, 10 * MS);
  xs_write(0, path, "1");
  disk_open(DEFAULT_OPTIONS);
}

CHECK(bad_negotiation, "disk", "nonsense in the negotiation is refused, and a new one works") {
  static const struct { const char *name, *value; } nonsense[] = {
    { "ring-ref", "4294967295" }, { "ring-ref", "abc" }, { "event-channel", "0" }, { "event-channel", "99999999" },
    { "ring-page-order", "99" }, { "protocol", "foo" }, { "state", "abc" }, { "state", "99" },
  };
  if (!disk_open(DEFAULT_OPTIONS)) return;
  for (u32 i = 0; i < ARRAY_SIZE(nonsense) && !failed(); i++) {
    negotiate_nonsense(nonsense[i].name, nonsense[i].value);
    EXPECT(!failed(), "after %s = %s", nonsense[i].name, nonsense[i].value);
  }
  expect_alive();
  disk_close();
}
