/* grant_table_op and the grant table's frames: [GNT] public/grant_table.h. */
#include "check.h"

#include "../lib/grants.h"
#include "../lib/hypercall.h"

static u8 spare[PAGE_SIZE] PAGE_ALIGNED;

CHECK(query_size, "grant", "query_size gives sane numbers") {
  struct gnttab_query_size query = { .dom = DOMID_SELF, .status = 99 };
  REQUIRE_EQ(grant_table_op(GNTTABOP_query_size, &query, 1), 0);
  EXPECT_EQ(query.status, GNTST_okay);
  EXPECT(query.max_nr_frames >= 4 && query.nr_frames <= query.max_nr_frames, "%u of %u frames", query.nr_frames,
         query.max_nr_frames);
  query.dom = 1234;
  EXPECT_EQ(grant_table_op(GNTTABOP_query_size, &query, 1), 0);
  EXPECT(query.status < 0, "of another domain: %d", query.status);
}

CHECK(version, "grant", "the table is of version 1, and there is no version 3") {
  struct {
    u32 version;
  } set = { 1 };
  struct {
    domid_t dom;
    u16 pad;
    u32 version;
  } get = { .dom = DOMID_SELF };
  EXPECT_EQ(grant_table_op(GNTTABOP_set_version, &set, 1), 0);
  EXPECT_EQ(set.version, 1);
  EXPECT_EQ(grant_table_op(GNTTABOP_get_version, &get, 1), 0);
  EXPECT_EQ(get.version, 1);
  set.version = 3;
  EXPECT_EQ(grant_table_op(GNTTABOP_set_version, &set, 1), -EINVAL);
}

CHECK(frames, "grant", "frames appear in the platform device's memory") {
  REQUIRE_EQ(grants_init(), 0);
  u64 console = 0, store = 0;
  hvm_get_param(HVM_PARAM_STORE_PFN, &store);
  if (hvm_get_param(HVM_PARAM_CONSOLE_PFN, &console) == 0 && console != 0) {
    EXPECT_EQ(grant_table[GNTTAB_RESERVED_CONSOLE].frame, console);
    EXPECT_EQ(grant_table[GNTTAB_RESERVED_CONSOLE].flags & 3, GTF_permit_access);
  }
  EXPECT_EQ(grant_table[GNTTAB_RESERVED_XENSTORE].frame, store);
  EXPECT_EQ(grant_table[GNTTAB_RESERVED_XENSTORE].flags & 3, GTF_permit_access);
  grant_table[GRANT_FRAMES * GRANTS_PER_FRAME - 1].frame = 0x1234567;
  EXPECT_EQ(grant_table[GRANT_FRAMES * GRANTS_PER_FRAME - 1].frame, 0x1234567);
  grant_table[GRANT_FRAMES * GRANTS_PER_FRAME - 1].frame = 0;
  struct gnttab_query_size query = { .dom = DOMID_SELF };
  EXPECT_EQ(grant_table_op(GNTTABOP_query_size, &query, 1), 0);
  EXPECT(query.nr_frames >= GRANT_FRAMES, "query_size counts %u", query.nr_frames);
}

CHECK(frame_moves, "grant", "a frame moves with its content") {
  REQUIRE_EQ(grants_init(), 0);
  u64 home = frame_of(grant_table) + 1;
  volatile struct grant_entry_v1 *entry = &grant_table[2 * GRANTS_PER_FRAME - 1];
  entry->frame = 0x00abcdef;
  REQUIRE_EQ(add_to_physmap(XENMAPSPACE_grant_table, 1, frame_of(spare)), 0);
  volatile struct grant_entry_v1 *moved = (void *)spare;
  EXPECT_EQ(moved[GRANTS_PER_FRAME - 1].frame, 0x00abcdef);
  REQUIRE_EQ(add_to_physmap(XENMAPSPACE_grant_table, 1, home), 0);
  EXPECT_EQ(entry->frame, 0x00abcdef);
  entry->frame = 0;
}

CHECK(frames_bad, "grant", "frames past the maximum, and of version 2, are refused") {
  struct gnttab_query_size query = { .dom = DOMID_SELF };
  EXPECT_EQ(grant_table_op(GNTTABOP_query_size, &query, 1), 0);
  EXPECT_EQ(add_to_physmap(XENMAPSPACE_grant_table, query.max_nr_frames, frame_of(spare)), -EINVAL);
  EXPECT(add_to_physmap(XENMAPSPACE_grant_table, 0x80000000u, frame_of(spare)) < 0, "a status frame was mapped");
  EXPECT(add_to_physmap(XENMAPSPACE_grant_table, ~0ull, frame_of(spare)) < 0, "frame 2^64 - 1 was mapped");
}

CHECK(setup_table, "grant", "setup_table lists frames, and refuses more than there may be") {
  static u64 list[GRANT_FRAMES];
  struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = GRANT_FRAMES, .status = 99, .frame_list = list };
  REQUIRE_EQ(grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
  EXPECT_EQ(setup.status, GNTST_okay);
  setup.nr_frames = 1 << 20;
  EXPECT(grant_table_op(GNTTABOP_setup_table, &setup, 1) != 0 || setup.status < 0, "2^20 frames were granted");
}

CHECK(version_2, "grant", "version 2 has status frames, and keeps the reserved entries") {
  REQUIRE_EQ(grants_init(), 0);
  u32 version = 2;
  u64 store = 0;
  hvm_get_param(HVM_PARAM_STORE_PFN, &store);
  REQUIRE_EQ(grant_table_op(GNTTABOP_set_version, &version, 1), 0);
  volatile struct grant_entry_v2 *entries = (volatile void *)grant_table;
  EXPECT_EQ(entries[GNTTAB_RESERVED_XENSTORE].frame, store);
  EXPECT_EQ(entries[GNTTAB_RESERVED_XENSTORE].flags & 3, GTF_permit_access);
  EXPECT_EQ(add_to_physmap(XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, frame_of(spare)), 0);
  EXPECT(add_to_physmap(XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status + 4096, frame_of(spare)) < 0,
         "status frame 4096 was mapped");
  version = 1;
  REQUIRE_EQ(grant_table_op(GNTTABOP_set_version, &version, 1), 0);
  EXPECT_EQ(grant_table[GNTTAB_RESERVED_XENSTORE].frame, store);
}

CHECK(copy, "grant", "bytes are copied between frames, and not past their end") {
  static u8 from[PAGE_SIZE] PAGE_ALIGNED;
  for (u32 i = 0; i < PAGE_SIZE; i++) from[i] = (u8)(i * 7);
  struct gnttab_copy copies[2] = {
    { .source = { .page = frame_of(from), .domid = DOMID_SELF, .offset = 1000 },
      .dest = { .page = frame_of(spare), .domid = DOMID_SELF, .offset = 8 },
      .len = 3000 },
    { .source = { .page = frame_of(from), .domid = DOMID_SELF, .offset = 2000 },
      .dest = { .page = frame_of(spare), .domid = DOMID_SELF },
      .len = 3000 },
  };
  REQUIRE_EQ(grant_table_op(GNTTABOP_copy, copies, 2), 0);
  EXPECT_EQ(copies[0].status, GNTST_okay);
  EXPECT(copies[1].status < 0, "a copy across the end of a page has status %d", copies[1].status);
  for (u32 i = 0; i < 3000; i++) {
    if (spare[8 + i] != from[1000 + i]) return fail("byte %u is 0x%x, not 0x%x", i, spare[8 + i], from[1000 + i]);
  }
}

CHECK(grant_bad, "grant", "unknown commands and pointers to nowhere are refused") {
  static u64 argument[8];
  EXPECT_EQ(grant_table_op(99, argument, 1), -ENOSYS);
  EXPECT_EQ(grant_table_op(GNTTABOP_query_size, NON_CANONICAL, 1), -EFAULT);
  EXPECT_EQ(grant_table_op(GNTTABOP_set_version, NON_CANONICAL, 1), -EFAULT);
  EXPECT(grant_table_op(GNTTABOP_query_size, argument, 0xffffffff) < 0, "2^32 - 1 entries were accepted");
}
