/* The PV disk: what is written comes back, by every kind of request that the back end offers. */
#include "disk-io.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/grants.h"
#include "../lib/string.h"

#define MAX_IN_FLIGHT 96
#define INDIRECT_PAGES 64

CHECK(negotiate, "disk", "the back end connects and says what the disk is") {
  if (!disk_open_any(DEFAULT_OPTIONS)) return;
  EXPECT(disk.sectors > 0, "it has no sectors");
  EXPECT(disk.sector_size >= 512 && (disk.sector_size & (disk.sector_size - 1)) == 0, "sectors of %u bytes", disk.sector_size);
  note("%lu sectors, %s, flush %u, discard %u, persistent %u, indirect %u, ring order %u", disk.sectors,
       disk.writable ? "writable" : "read-only", disk.flush, disk.discard, disk.persistent, disk.max_indirect_segments,
       disk.max_ring_order);
}

CHECK(page, "disk", "a page is written and read back") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  write_and_check(0, 1, 1);
}

CHECK(sizes, "disk", "requests of 1 to 11 segments are written and read back") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  u64 sector = 8;
  for (u32 pages = 1; pages <= BLKIF_MAX_SEGMENTS && !failed(); pages++) {
    write_and_check(sector, pages, pages);
    sector += pages * SECTORS_PER_PAGE;
  }
}

CHECK(parts, "disk", "segments may be parts of pages") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  static const struct { u8 first, last; } parts[] = { { 3, 5 }, { 0, 0 }, { 7, 7 }, { 1, 6 } };
  const u64 start = 600;
  grant_ref_t refs[ARRAY_SIZE(parts)];
  for (u32 pass = 0; pass < 2; pass++) {
    u8 operation = pass == 0 ? BLKIF_OP_WRITE : BLKIF_OP_READ;
    memset(data_pages, 0, sizeof parts / sizeof parts[0] * PAGE_SIZE);
    if (!grant_data(refs, ARRAY_SIZE(parts), false)) return;
    union blkif_request *request = blkfront_prepare(&disk, operation, 2);
    request->rw.nr_segments = ARRAY_SIZE(parts);
    request->rw.sector_number = start;
    u64 sector = start;
    for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
      request->rw.segments[i] = (struct blkif_segment){ refs[i], parts[i].first, parts[i].last };
      for (u32 s = parts[i].first; pass == 0 && s <= parts[i].last; s++) {
        fill_sector(data_pages[i] + s * SECTOR_SIZE, sector++, 77);
      }
    }
    int result = blkfront_run(&disk, 2);
    end_grants(refs, ARRAY_SIZE(parts));
    REQUIRE(result == BLKIF_RSP_OKAY, "it gives %d", result);
  }
  u64 sector = start;
  for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
    for (u32 s = 0; s < SECTORS_PER_PAGE; s++) {
      const u8 *at = data_pages[i] + s * SECTOR_SIZE;
      bool inside = s >= parts[i].first && s <= parts[i].last;
      if (inside) EXPECT(sector_is(at, sector++, 77), "sector %lu comes back changed", sector - 1);
      else EXPECT(*(const u64 *)at == 0, "segment %u also fills sector %u of its page", i, s);
    }
  }
}

CHECK(last_sector, "disk", "the last sectors can be written") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  write_and_check(disk.sectors - SECTORS_PER_PAGE, 1, 5);
}

/* As many one-page requests as fit: each is answered once, with its own data. */
static void fill_ring(u64 start, u32 generation) {
  u32 count = disk.entries < MAX_IN_FLIGHT ? disk.entries : MAX_IN_FLIGHT;
  if (count > DATA_PAGES) count = DATA_PAGES;
  static grant_ref_t refs[DATA_PAGES];
  for (u32 pass = 0; pass < 2; pass++) {
    if (!grant_data(refs, count, false)) return;
    if (pass == 1) memset(data_pages, 0, count * PAGE_SIZE);
    for (u32 i = 0; i < count; i++) {
      u64 sector = start + (u64)(count - 1 - i) * SECTORS_PER_PAGE; /* backwards: no two requests adjoin in order */
      union blkif_request *request = blkfront_prepare(&disk, pass == 0 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i);
      request->rw.nr_segments = 1;
      request->rw.sector_number = sector;
      request->rw.segments[0] = (struct blkif_segment){ refs[i], 0, SECTORS_PER_PAGE - 1 };
      if (pass == 0) fill_sector(data_pages[i], sector, generation);
    }
    blkfront_push(&disk);
    REQUIRE(blkfront_wait(&disk), "answers are missing");
    for (u32 i = 0; i < count; i++) EXPECT(disk.results[i] == BLKIF_RSP_OKAY, "request %u gives %d", i, disk.results[i]);
    end_grants(refs, count);
  }
  for (u32 i = 0; i < count; i++) {
    u64 sector = start + (u64)(count - 1 - i) * SECTORS_PER_PAGE;
    EXPECT(sector_is(data_pages[i], sector, generation), "sector %lu comes back changed", sector);
  }
}

CHECK(full_ring, "disk", "a ring full of requests is answered, each once") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  for (u32 round = 0; round < 3 && !failed(); round++) fill_ring(700, 10 + round);
}

CHECK(answer_events, "disk", "answers come with events") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  u32 before = event_ports[disk.port].count;
  write_and_check(16, 1, 20);
  EXPECT(WAIT_FOR(event_ports[disk.port].count > before, SECOND), "none came");
}

CHECK(flush, "disk", "flush is done where it is offered") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  if (!disk.flush) return skip("the back end does not offer it");
  blkfront_prepare(&disk, BLKIF_OP_FLUSH_DISKCACHE, 3);
  EXPECT_EQ(blkfront_run(&disk, 3), BLKIF_RSP_OKAY);
}

CHECK(discard, "disk", "discard is done where it is offered, and leaves the neighbours alone") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  if (!disk.discard) return skip("the back end does not offer it");
  write_and_check(1024, 3, 30);
  union blkif_request *request = blkfront_prepare(&disk, BLKIF_OP_DISCARD, 4);
  request->discard.sector_number = 1024 + SECTORS_PER_PAGE;
  request->discard.nr_sectors = SECTORS_PER_PAGE;
  EXPECT_EQ(blkfront_run(&disk, 4), BLKIF_RSP_OKAY);
  REQUIRE_EQ(transfer(BLKIF_OP_READ, 1024, 3), BLKIF_RSP_OKAY);
  EXPECT(sector_is(data_pages[0], 1024, 30), "the page before is changed");
  EXPECT(sector_is(data_pages[2], 1024 + 2 * SECTORS_PER_PAGE, 30), "the page after is changed");
}

CHECK(indirect, "disk", "indirect requests carry many segments") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  u32 pages = disk.max_indirect_segments < INDIRECT_PAGES ? disk.max_indirect_segments : INDIRECT_PAGES;
  if (pages == 0) return skip("the back end does not offer them");
  static struct blkif_segment segments[SEGMENTS_PER_PAGE] PAGE_ALIGNED;
  grant_ref_t refs[INDIRECT_PAGES];
  const u64 start = 1200;
  for (u32 i = 0; i < pages * SECTORS_PER_PAGE; i++) fill_sector(data_pages[0] + i * SECTOR_SIZE, start + i, 40);
  for (u32 pass = 0; pass < 2 && !failed(); pass++) {
    if (!grant_data(refs, pages, false)) return;
    grant_ref_t list = grant_page(disk.domid, segments, true);
    if (pass == 1) memset(data_pages, 0, pages * PAGE_SIZE);
    for (u32 i = 0; i < pages; i++) segments[i] = (struct blkif_segment){ refs[i], 0, SECTORS_PER_PAGE - 1 };
    union blkif_request *request = blkfront_prepare(&disk, BLKIF_OP_INDIRECT, 5);
    request->indirect.indirect_op = pass == 0 ? BLKIF_OP_WRITE : BLKIF_OP_READ;
    request->indirect.nr_segments = (u16)pages;
    request->indirect.id = 5;
    request->indirect.sector_number = start;
    request->indirect.handle = disk.handle;
    request->indirect.indirect_grefs[0] = list;
    EXPECT_EQ(blkfront_run(&disk, 5), BLKIF_RSP_OKAY);
    end_grants(refs, pages);
    end_grants(&list, 1);
  }
  for (u32 i = 0; i < pages * SECTORS_PER_PAGE; i++) {
    EXPECT(sector_is(data_pages[0] + i * SECTOR_SIZE, start + i, 40), "sector %lu comes back changed", start + i);
  }
}

CHECK(persistent, "disk", "persistent grants stay mapped until the disk is closed") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  if (!disk.persistent) return skip("the back end does not offer them");
  if (!disk_open((struct blkfront_options){ .persistent = true })) return;
  grant_ref_t ref;
  if (!grant_data(&ref, 1, false)) return;
  for (u32 round = 0; round < 4; round++) {
    bool writing = round % 2 == 0;
    u64 sector = 1800 + round / 2 * SECTORS_PER_PAGE;
    if (writing) fill_sector(data_pages[0], sector, 50);
    else memset(data_pages[0], 0, PAGE_SIZE);
    union blkif_request *request = blkfront_prepare(&disk, writing ? BLKIF_OP_WRITE : BLKIF_OP_READ, 6);
    request->rw.nr_segments = 1;
    request->rw.sector_number = sector;
    request->rw.segments[0] = (struct blkif_segment){ ref, 0, SECTORS_PER_PAGE - 1 };
    EXPECT_EQ(blkfront_run(&disk, 6), BLKIF_RSP_OKAY);
    EXPECT(writing || sector_is(data_pages[0], sector, 50), "sector %lu comes back changed", sector);
  }
  EXPECT(grant_in_use(ref), "the grant is not mapped between requests");
  if (!disk_close()) return;
  EXPECT(grant_end(ref), "the grant is still mapped after the disk was closed");
}

CHECK(multi_page_ring, "disk", "a ring of several pages takes more requests") {
  if (!disk_open(DEFAULT_OPTIONS)) return;
  u32 order = disk.max_ring_order < BLKFRONT_MAX_RING_ORDER ? disk.max_ring_order : BLKFRONT_MAX_RING_ORDER;
  if (order == 0) return skip("the back end does not offer it");
  for (u32 i = 1; i <= order && !failed(); i++) {
    if (!disk_open((struct blkfront_options){ .ring_order = i })) return;
    EXPECT(disk.entries == 32u << i, "it has %u entries", disk.entries);
    fill_ring(700, 60 + i);
  }
  disk_close();
}

CHECK(reconnect, "disk", "the disk can be closed and opened again, many times") {
  for (u32 round = 0; round < 5 && !failed(); round++) {
    if (!disk_open(DEFAULT_OPTIONS)) return;
    write_and_check(32, 1, 70 + round);
    if (!disk_close()) return;
  }
}
