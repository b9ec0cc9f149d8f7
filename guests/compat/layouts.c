/* Structures whose 32-bit layout differs from the 64-bit one, and pointers of 32 bits. The layouts are in ../lib/xen.h. */
#include "compat.h"

#include "../lib/string.h"

#define PENDING_FRAMES 2
#define PHYSDEV_GSI 5

static u8 spare[2][PAGE_SIZE] PAGE_ALIGNED;

CHECK(mode, "compat", "the hypercall page works in protected mode without paging") {
  EXPECT_EQ(xen_version(XENVER_version, NULL) >> 16, 4);
  EXPECT_EQ(xen_version(XENVER_pagesize, NULL), PAGE_SIZE);
  EXPECT_EQ(hypercall1(55, 0), -ENOSYS);
}

CHECK(platform_parameters, "compat", "platform_parameters are 4 bytes") {
  u32 words[2] = { 0x12345678, 0x12345678 };
  EXPECT_EQ(xen_version(XENVER_platform_parameters, words), 0);
  EXPECT(words[1] == 0x12345678, "they are more");
}

CHECK(pointers, "compat", "pointers to nowhere, and over the end of the address space, give EFAULT") {
  EXPECT_EQ(xen_version(XENVER_extraversion, NOWHERE), -EFAULT);
  EXPECT_EQ(xen_version(XENVER_extraversion, LAST_WORD), -EFAULT);
  EXPECT_EQ(memory_op(XENMEM_add_to_physmap, NOWHERE), -EFAULT);
  EXPECT_EQ(hvm_op(HVMOP_get_param, LAST_WORD), -EFAULT);
}

CHECK(memory_map, "compat", "memory_map takes a 32-bit pointer") {
  static struct e820_entry entries[64];
  struct xen_memory_map map = { .nr_entries = ARRAY_SIZE(entries), .buffer = entries };
  REQUIRE_EQ(memory_op(XENMEM_memory_map, &map), 0);
  REQUIRE(map.nr_entries > 0 && map.nr_entries <= ARRAY_SIZE(entries), "there are %u entries", map.nr_entries);
  EXPECT(entries[0].base == 0 && entries[0].type == 1, "the first entry is not RAM at 0");
  map.buffer = LAST_WORD;
  EXPECT_EQ(memory_op(XENMEM_memory_map, &map), -EFAULT);
}

CHECK(physmap, "compat", "add_to_physmap and remove_from_physmap") {
  struct xen_remove_from_physmap remove = { .domid = DOMID_SELF, .gpfn = frame_of(spare[0]) };
  REQUIRE_EQ(add_to_physmap(XENMAPSPACE_grant_table, 0, frame_of(spare[0])), 0);
  volatile struct grant_entry_v1 *grants = (void *)spare[0];
  u64 store = 0;
  hvm_get_param(HVM_PARAM_STORE_PFN, &store);
  EXPECT_EQ(grants[GNTTAB_RESERVED_XENSTORE].frame, store);
  EXPECT_EQ(memory_op(XENMEM_remove_from_physmap, &remove), 0);
}

CHECK(batch, "compat", "add_to_physmap_batch has lists of 32-bit words") {
  xen_ulong indices[2] = { 0, 1 << 20 };
  xen_pfn frames[2] = { frame_of(spare[0]), frame_of(spare[1]) };
  int errors[2] = { 77, 77 };
  struct xen_add_to_physmap_batch request = {
    .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 2, .idxs = indices, .gpfns = frames, .errs = errors,
  };
  REQUIRE_EQ(memory_op(XENMEM_add_to_physmap_batch, &request), 0);
  EXPECT_EQ(errors[0], 0);
  EXPECT_EQ(errors[1], -EINVAL);
}

CHECK(balloon, "compat", "decrease_reservation and populate_physmap have lists of 32-bit words") {
  xen_pfn frames[2] = { frame_of(spare[1]), 0xffffff };
  struct xen_memory_reservation request = { .extent_start = frames, .nr_extents = 1, .domid = DOMID_SELF };
  EXPECT_EQ(memory_op(XENMEM_decrease_reservation, &request), 1);
  EXPECT_EQ(memory_op(XENMEM_populate_physmap, &request), 1);
  spare[1][4095] = 0x5a;
  EXPECT(spare[1][4095] == 0x5a, "the page does not keep its bytes");
}

CHECK(hvm_params, "compat", "HVM parameters are 64-bit values in 16 bytes") {
  u64 value = 0;
  REQUIRE_EQ(hvm_get_param(HVM_PARAM_STORE_EVTCHN, &value), 0);
  EXPECT(value > 0 && value < EVTCHN_2L_NR_CHANNELS, "the store's port is %u", (u32)value);
}

CHECK(runstate, "compat", "a runstate area is 44 bytes, also the registered one") {
  static struct {
    struct vcpu_runstate_info info;
    u32 guard;
  } asked, area;
  struct {
    u64 address;
  } registration = { address_of(&area.info) };
  memset(&asked, FILLER, sizeof asked);
  memset(&area, FILLER, sizeof area);
  REQUIRE_EQ(vcpu_op(VCPUOP_get_runstate_info, 0, &asked.info), 0);
  EXPECT_EQ(asked.info.state, RUNSTATE_running);
  EXPECT_EQ(asked.info.state_entry_time >> 63, 0);
  EXPECT(asked.guard == 0xaaaaaaaa, "get_runstate_info writes more");
  REQUIRE_EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &registration), 0);
  sched_op(SCHEDOP_yield, NULL);
  EXPECT_EQ(area.info.state, RUNSTATE_running);
  EXPECT(area.info.state_entry_time >= asked.info.state_entry_time, "its state was entered before the other's");
  EXPECT(area.guard == 0xaaaaaaaa, "the area's owner writes past its end");
  registration.address = 0;
  vcpu_op(VCPUOP_register_runstate_memory_area, 0, &registration);
}

CHECK(setup_table, "compat", "setup_table lists frames as 32-bit words") {
  struct {
    xen_pfn frames[PENDING_FRAMES];
    u32 guard;
  } list = { { 0 }, 0xaaaaaaaa };
  struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = PENDING_FRAMES, .status = 99 };
  setup.frame_list = list.frames;
  REQUIRE_EQ(grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
  EXPECT_EQ(setup.status, GNTST_okay);
  EXPECT(list.guard == 0xaaaaaaaa, "the list is longer");
}

CHECK(copy, "compat", "grant copies lie 24 bytes apart") {
  for (u32 i = 0; i < PAGE_SIZE; i++) spare[0][i] = (u8)(i * 7);
  REQUIRE_EQ(add_to_physmap(XENMAPSPACE_grant_table, 0, frame_of(spare[1])), 0);
  struct xen_remove_from_physmap remove = { .domid = DOMID_SELF, .gpfn = frame_of(spare[1]) };
  REQUIRE_EQ(memory_op(XENMEM_remove_from_physmap, &remove), 0);
  static u8 source[PAGE_SIZE] PAGE_ALIGNED;
  for (u32 i = 0; i < PAGE_SIZE; i++) source[i] = (u8)(i * 7);
  struct gnttab_copy copies[2] = {
    { .source = { .page = frame_of(source), .domid = DOMID_SELF, .offset = 100 },
      .dest = { .page = frame_of(spare[1]), .domid = DOMID_SELF, .offset = 8 },
      .len = 3000,
      .status = 99 },
    { .source = { .page = frame_of(source), .domid = DOMID_SELF, .offset = 2000 },
      .dest = { .page = frame_of(spare[1]), .domid = DOMID_SELF },
      .len = 3000,
      .status = 99 },
  };
  REQUIRE_EQ(grant_table_op(GNTTABOP_copy, copies, 2), 0);
  EXPECT_EQ(copies[0].status, GNTST_okay);
  EXPECT(copies[1].status < 0, "a copy over the end of a page has status %d", copies[1].status);
  EXPECT_EQ(spare[1][8], source[100]);
  EXPECT_EQ(spare[1][3007], source[3099]);
}

CHECK(map_pirq, "compat", "map_pirq is 36 bytes") {
  struct {
    struct physdev_map_pirq map;
    u32 guard;
  } request = { .map = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = PHYSDEV_GSI, .pirq = -1 },
                .guard = 0xaaaaaaaa };
  REQUIRE_EQ(physdev_op(PHYSDEVOP_map_pirq, &request.map), 0);
  EXPECT(request.map.pirq >= 0, "PIRQ %d", request.map.pirq);
  EXPECT(request.guard == 0xaaaaaaaa, "it is more");
  struct physdev_unmap_pirq unmap = { .domid = DOMID_SELF, .pirq = request.map.pirq };
  EXPECT_EQ(physdev_op(PHYSDEVOP_unmap_pirq, &unmap), 0);
}

CHECK(multicall, "compat", "multicall entries are 32 bytes, with 32-bit results") {
  static struct {
    u32 op;
    s32 result;
    u32 arguments[6];
  } entries[3];
  static char text[16];
  memset(text, FILLER, sizeof text);
  entries[0].op = HYPERVISOR_xen_version;
  entries[0].arguments[0] = XENVER_pagesize;
  entries[1].op = 55;
  entries[2].op = HYPERVISOR_xen_version;
  entries[2].arguments[0] = XENVER_extraversion;
  entries[2].arguments[1] = (u32)(uintptr_t)text;
  REQUIRE_EQ(hypercall2(HYPERVISOR_multicall, address_of(entries), 3), 0);
  EXPECT_EQ(entries[0].result, PAGE_SIZE);
  EXPECT_EQ(entries[1].result, -ENOSYS);
  EXPECT_EQ(entries[2].result, 0);
  EXPECT_EQ(text[15], 0);
}
