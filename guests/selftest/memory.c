/* memory_op: [MEM] public/memory.h. What a guest may ask about its memory, and where pages of Xen's may be put. */
#include "check.h"

#include "../lib/events.h"
#include "../lib/grants.h"
#include "../lib/hypercall.h"
#include "../lib/pci.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define E820_RAM 1
#define PAST_RAM 0xfffff00ull

static u8 spare[3][PAGE_SIZE] PAGE_ALIGNED, ballooned[PAGE_SIZE] PAGE_ALIGNED;

static u64 platform_bar(void) {
  int devfn = pci_find(XEN_PLATFORM_ID);
  return devfn < 0 ? 0 : pci_bar((u32)devfn, 1).base;
}

/* Moves shared_info, with interrupts off: none is listened to while its masks are being set. */
static long move_shared_info(u64 address) {
  long result = add_to_physmap(XENMAPSPACE_shared_info, 0, address / PAGE_SIZE);
  if (result == 0) {
    shared_info = pointer_to(address);
    /* vcpu_info of vCPUs that registered their own stays where it is; the rest moves along. */
  }
  return result;
}

CHECK(memory_map, "memory", "memory_map lists RAM from address 0") {
  static struct e820_entry entries[64];
  struct xen_memory_map map = { .nr_entries = ARRAY_SIZE(entries), .buffer = entries };
  REQUIRE_EQ(memory_op(XENMEM_memory_map, &map), 0);
  REQUIRE(map.nr_entries > 0 && map.nr_entries <= ARRAY_SIZE(entries), "there are %u entries", map.nr_entries);
  EXPECT(entries[0].base == 0 && entries[0].type == E820_RAM, "the first is at 0x%lx, type %u", entries[0].base,
         entries[0].type);
  for (u32 i = 1; i < map.nr_entries; i++) {
    EXPECT(entries[i].base >= entries[i - 1].base + entries[i - 1].length, "entry %u overlaps the one before", i);
  }
}

CHECK(reservation, "memory", "current and maximum reservation and the highest frame are sane") {
  domid_t self = DOMID_SELF;
  long current = memory_op(XENMEM_current_reservation, &self);
  long maximum = memory_op(XENMEM_maximum_reservation, &self);
  long highest = memory_op(XENMEM_maximum_gpfn, &self);
  EXPECT(current > 256, "current_reservation gives %ld%s", current, error_name(current));
  EXPECT(maximum >= current, "maximum_reservation gives %ld%s, current is %ld", maximum, error_name(maximum), current);
  EXPECT(highest >= 256, "maximum_gpfn gives %ld%s", highest, error_name(highest));
}

CHECK(shared_info_moves, "memory", "shared_info moves over the platform device's memory and back") {
  void *home = shared_info;
  u64 bar = platform_bar();
  if (bar == 0) return skip("there is no Xen platform device");
  u32 seconds = shared_info->wc_sec;
  u64 pattern = 0x5a5a000012345678ull;
  REQUIRE_EQ(move_shared_info(bar), 0);
  EXPECT(shared_info->wc_sec == seconds, "the wall clock there is %u, not %u", shared_info->wc_sec, seconds);
  u64 kept = shared_info->evtchn_mask[63];
  shared_info->evtchn_mask[63] = pattern;
  EXPECT(shared_info->evtchn_mask[63] == pattern, "it cannot be written there");
  REQUIRE_EQ(move_shared_info(address_of(home)), 0);
  EXPECT(shared_info->evtchn_mask[63] == pattern, "what was written there is lost: 0x%lx", shared_info->evtchn_mask[63]);
  shared_info->evtchn_mask[63] = kept;
}

CHECK(shared_info_in_ram, "memory", "shared_info moves within RAM") {
  void *home = shared_info;
  REQUIRE_EQ(move_shared_info(address_of(spare[0])), 0);
  EXPECT(shared_info->wc_sec != 0, "it is empty there");
  REQUIRE_EQ(move_shared_info(address_of(home)), 0);
  EXPECT(shared_info->wc_sec != 0, "it is empty back home");
}

CHECK(add_to_physmap_bad, "memory", "add_to_physmap refuses wrong spaces, indices, domains and pointers") {
  struct xen_add_to_physmap map = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = frame_of(spare[0]) };
  EXPECT_EQ(memory_op(XENMEM_add_to_physmap, NON_CANONICAL), -EFAULT);
  EXPECT_EQ(memory_op(XENMEM_add_to_physmap, probe(PROBE_HOLE, 0)), -EFAULT);
  EXPECT_EQ(memory_op(XENMEM_add_to_physmap, probe(PROBE_SECOND, PAGE_SIZE - 8)), -EFAULT);
  map.idx = 1;
  EXPECT_EQ(memory_op(XENMEM_add_to_physmap, &map), -EINVAL);
  map.idx = 0;
  map.domid = 1234;
  EXPECT_EQ(memory_op(XENMEM_add_to_physmap, &map), -ESRCH);
  map.domid = DOMID_SELF;
  map.space = 77;
  long bogus = memory_op(XENMEM_add_to_physmap, &map);
  EXPECT(bogus == -EINVAL || bogus == -ENOSYS, "space 77 gives %ld%s", bogus, error_name(bogus));
  map.space = XENMAPSPACE_gmfn_foreign;
  long foreign = memory_op(XENMEM_add_to_physmap, &map);
  EXPECT(foreign == -EPERM || foreign == -ENOSYS, "another domain's frames give %ld%s", foreign, error_name(foreign));
  map.space = XENMAPSPACE_grant_table;
  map.idx = 1 << 20;
  EXPECT_EQ(memory_op(XENMEM_add_to_physmap, &map), -EINVAL);
}

CHECK(past_ram, "memory", "a frame number of nonsense is refused, or harmless") {
  static const u64 frames[] = { 1ull << 40, 1ull << 52, ~0ull };
  /* The local APIC's, the IOAPIC's, a hole: whoever maps pages there has only himself to blame. */
  static const u64 odd_places[] = { 0xfee00, 0xfec00, 0xfe000 };
  void *home = shared_info;
  for (u32 i = 0; i < ARRAY_SIZE(frames); i++) {
    EXPECT(add_to_physmap(XENMAPSPACE_shared_info, 0, frames[i]) < 0, "frame 0x%lx is accepted", frames[i]);
  }
  for (u32 i = 0; i < ARRAY_SIZE(odd_places); i++) {
    add_to_physmap(XENMAPSPACE_shared_info, 0, odd_places[i]);
    EXPECT_EQ(move_shared_info(address_of(home)), 0);
  }
}

CHECK(batch, "memory", "add_to_physmap_batch answers for each entry") {
  u64 indices[2] = { 0, 1 << 20 };
  u64 frames[2] = { frame_of(spare[1]), frame_of(spare[2]) };
  int errors[2] = { 77, 77 };
  struct xen_add_to_physmap_batch request = {
    .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 2, .idxs = indices, .gpfns = frames, .errs = errors,
  };
  long result = memory_op(XENMEM_add_to_physmap_batch, &request);
  REQUIRE(result == 0, "it gives %ld%s", result, error_name(result));
  EXPECT_EQ(errors[0], 0);
  EXPECT_EQ(errors[1], -EINVAL);
}

CHECK(remove, "memory", "a page of Xen's is taken away again") {
  struct xen_remove_from_physmap request = { .domid = DOMID_SELF, .gpfn = frame_of(spare[1]) };
  REQUIRE_EQ(add_to_physmap(XENMAPSPACE_grant_table, 0, request.gpfn), 0);
  EXPECT_EQ(memory_op(XENMEM_remove_from_physmap, &request), 0);
  EXPECT_EQ(memory_op(XENMEM_remove_from_physmap, NON_CANONICAL), -EFAULT);
  request.gpfn = 1ull << 40;
  EXPECT(memory_op(XENMEM_remove_from_physmap, &request) < 0, "frame 2^40 was taken away");
}

CHECK(batch_bad, "memory", "add_to_physmap_batch with pointers to nowhere ends with EFAULT") {
  static u64 numbers[8];
  struct xen_add_to_physmap_batch request = {
    .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 0xffff, .idxs = numbers, .gpfns = NON_CANONICAL,
    .errs = NON_CANONICAL,
  };
  EXPECT_EQ(memory_op(XENMEM_add_to_physmap_batch, &request), -EFAULT);
}

CHECK(balloon, "memory", "a page can be given away and asked for again") {
  u64 frame = frame_of(ballooned);
  struct xen_memory_reservation request = { .extent_start = &frame, .nr_extents = 1, .domid = DOMID_SELF };
  EXPECT_EQ(memory_op(XENMEM_decrease_reservation, &request), 1);
  EXPECT_EQ(memory_op(XENMEM_populate_physmap, &request), 1);
  memset(ballooned, 0x5a, PAGE_SIZE);
  EXPECT(ballooned[4095] == 0x5a, "the page does not keep its bytes");
}

#define RUN 4

CHECK(run_moves, "memory", "a run of RAM frames moves over itself, and leaves none behind") {
  static u64 run[RUN + 1][PAGE_SIZE / sizeof(u64)] PAGE_ALIGNED;
  for (u32 i = 0; i < RUN; i++) run[i][7] = 100 + i;
  u64 first = frame_of(run[0]);
  struct xen_add_to_physmap map = {
    .domid = DOMID_SELF, .size = RUN, .space = XENMAPSPACE_gmfn_range, .idx = first, .gpfn = first + 1,
  };
  REQUIRE_EQ(memory_op(XENMEM_add_to_physmap, &map), 0);
  for (u32 i = 0; i < RUN; i++) EXPECT_EQ(run[i + 1][7], 100 + i);
  struct xen_memory_reservation request = { .extent_start = &first, .nr_extents = 1, .domid = DOMID_SELF };
  EXPECT_EQ(memory_op(XENMEM_decrease_reservation, &request), 0);
  EXPECT_EQ(memory_op(XENMEM_populate_physmap, &request), 1);
  EXPECT_EQ(run[0][7], 0);
}

CHECK(ram_in_gap, "memory", "a RAM frame moves to where there is no RAM, keeps its bytes there, and moves back") {
  static u64 frame[PAGE_SIZE / sizeof(u64)] PAGE_ALIGNED;
  volatile u64 *gap = NO_MEMORY;
  u64 home = frame_of(frame), away = frame_of(NO_MEMORY);
  domid_t self = DOMID_SELF;
  long held = memory_op(XENMEM_current_reservation, &self);
  frame[3] = 0x123456789abcull;
  REQUIRE_EQ(add_to_physmap(XENMAPSPACE_gmfn, home, away), 0);
  EXPECT_EQ(gap[3], 0x123456789abcull);
  EXPECT_EQ(memory_op(XENMEM_current_reservation, &self), held);
  gap[4] = 77;
  REQUIRE_EQ(add_to_physmap(XENMAPSPACE_gmfn, away, home), 0);
  EXPECT_EQ(frame[3], 0x123456789abcull);
  EXPECT_EQ(frame[4], 77);
  EXPECT_EQ(memory_op(XENMEM_current_reservation, &self), held);
}

#define MANY 128

CHECK(many_in_gap, "memory", "as do many, and come back in another order") {
  static u64 frames[MANY][PAGE_SIZE / sizeof(u64)] PAGE_ALIGNED;
  u64 home = frame_of(frames[0]), away = frame_of(NO_MEMORY);
  for (u32 i = 0; i < MANY; i++) frames[i][5] = 1000 + i;
  for (u32 i = 0; i < MANY; i++) REQUIRE_EQ(add_to_physmap(XENMAPSPACE_gmfn, home + i, away + i), 0);
  for (u32 i = 0; i < MANY; i++) {
    volatile u64 *there = (u64 *)((u8 *)NO_MEMORY + i * PAGE_SIZE);
    EXPECT_EQ(there[5], 1000 + i);
  }
  for (u32 i = 0; i < MANY; i++) REQUIRE_EQ(add_to_physmap(XENMAPSPACE_gmfn, away + i, home + MANY - 1 - i), 0);
  for (u32 i = 0; i < MANY; i++) EXPECT_EQ(frames[i][5], 1000 + MANY - 1 - i);
}

CHECK(balloon_bad, "memory", "extents of absurd size or number are not honoured") {
  u64 frame = frame_of(ballooned);
  struct xen_memory_reservation request = { .extent_start = &frame, .nr_extents = 1, .extent_order = 31, .domid = DOMID_SELF };
  EXPECT(memory_op(XENMEM_populate_physmap, &request) <= 0, "order 31 was honoured");
  request.extent_order = 255;
  EXPECT(memory_op(XENMEM_decrease_reservation, &request) <= 0, "order 255 was honoured");
  request.extent_order = 0;
  request.nr_extents = 1ull << 63;
  request.extent_start = NON_CANONICAL;
  EXPECT(memory_op(XENMEM_populate_physmap, &request) <= 0, "2^63 extents at a bad pointer were honoured");
}

CHECK(unknown_memory_op, "memory", "an unknown command gives ENOSYS") { EXPECT_EQ(memory_op(63, spare[0]), -ENOSYS); }
