/* Memory above 4 GiB, where frame numbers have more than 20 bits and addresses more than 32. */
#include "disk-io.h"

#include "../lib/edu.h"
#include "../lib/events.h"
#include "../lib/grants.h"
#include "../lib/hypercall.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define E820_RAM 1
#define FOUR_GIB 0x100000000ull
/* The MSI capability, as offsets from its start, and what enables it. */
enum { MSI_CONTROL = 0, MSI_LOW = 4, MSI_HIGH = 8, MSI_DATA = 12 };
#define MSI_ENABLE (1u << 16)

/* First frame above 4 GiB and the one behind the last; equal when there are none. */
static u64 first_frame, end_frame;

static bool have_high_memory(void) {
  static struct e820_entry entries[64];
  struct xen_memory_map map = { .nr_entries = ARRAY_SIZE(entries), .buffer = entries };
  if (memory_op(XENMEM_memory_map, &map) != 0) return false;
  for (u32 i = 0; i < map.nr_entries && i < ARRAY_SIZE(entries); i++) {
    if (entries[i].type != E820_RAM || entries[i].base < FOUR_GIB) continue;
    first_frame = entries[i].base / PAGE_SIZE;
    end_frame = (entries[i].base + entries[i].length) / PAGE_SIZE;
  }
  if (end_frame > first_frame) return true;
  skip("there is no memory above 4 GiB");
  return false;
}

CHECK(high_contents, "high", "memory above 4 GiB holds what is written, from end to end") {
  if (!have_high_memory()) return;
  u64 frames[] = { first_frame, first_frame + 1, (first_frame + end_frame) / 2, end_frame - 2, end_frame - 1 };
  for (u32 i = 0; i < ARRAY_SIZE(frames); i++) {
    u64 *words = frame_window(i, frames[i]);
    words[0] = words[511] = frames[i] * 0x9e3779b97f4a7c15ull;
  }
  for (u32 i = 0; i < ARRAY_SIZE(frames); i++) {
    u64 *words = frame_window(i, frames[i]);
    u64 expected = frames[i] * 0x9e3779b97f4a7c15ull;
    EXPECT(words[0] == expected && words[511] == expected, "frame 0x%lx holds 0x%lx", frames[i], words[0]);
    /* The frame with the same low bits, were they cut. */
    u64 *low = frame_window(8, frames[i] & 0xfffff);
    EXPECT((frames[i] & 0xfffff) == 0 || low[0] != expected, "frame 0x%lx is also at 0x%lx", frames[i], frames[i] & 0xfffff);
  }
}

CHECK(high_arguments, "high", "hypercalls read and write arguments there") {
  if (!have_high_memory()) return;
  u8 *page = frame_window(0, end_frame - 1);
  memset(page, 0xaa, PAGE_SIZE);
  /* Over the end of one page into another that lies elsewhere. */
  u8 *next = frame_window(1, first_frame);
  memset(next, 0xaa, PAGE_SIZE);
  char *version = (char *)page + PAGE_SIZE - 8;
  EXPECT(xen_version(XENVER_extraversion, version) == 0, "it cannot be written");
  EXPECT((u8)version[0] != 0xaa && next[7] != 0xaa, "16 bytes over the end of a page: %x, %x", (u8)version[0], next[7]);
  struct e820_entry *entries = (struct e820_entry *)page;
  struct xen_memory_map *map = (struct xen_memory_map *)next;
  *map = (struct xen_memory_map){ .nr_entries = 64, .buffer = entries };
  EXPECT_EQ(memory_op(XENMEM_memory_map, map), 0);
  EXPECT(map->nr_entries > 2 && entries[0].base == 0, "%u entries", map->nr_entries);
}

CHECK(high_overlay, "high", "shared_info can be put there and taken back") {
  if (!have_high_memory()) return;
  u64 home = address_of((const void *)shared_info) / PAGE_SIZE;
  u64 *before = frame_window(0, end_frame - 1);
  before[0] = 0x1122334455667788ull;
  u32 seconds = shared_info->wc_sec;
  interrupts_off();
  long result = add_to_physmap(XENMAPSPACE_shared_info, 0, end_frame - 1);
  struct shared_info *there = frame_window(0, end_frame - 1);
  u32 seen = there->wc_sec;
  long back = add_to_physmap(XENMAPSPACE_shared_info, 0, home);
  interrupts_on();
  EXPECT_EQ(result, 0);
  EXPECT_EQ(back, 0);
  EXPECT(seen == seconds, "the wall clock there is %u, not %u", seen, seconds);
  EXPECT(before[0] == 0x1122334455667788ull, "the memory behind it is 0x%lx", before[0]);
}

CHECK(high_disk, "high", "the PV disk moves data to and from there") {
  if (!have_high_memory()) return;
  if (!disk_open(DEFAULT_OPTIONS)) return;
  u64 frames[] = { end_frame - 1, first_frame, (first_frame + end_frame) / 2 };
  const u64 sector = 1024;
  for (u32 pass = 0; pass < 2; pass++) {
    grant_ref_t refs[ARRAY_SIZE(frames)];
    union blkif_request *request = blkfront_prepare(&disk, pass == 0 ? BLKIF_OP_WRITE : BLKIF_OP_READ, 1);
    request->rw.nr_segments = ARRAY_SIZE(frames);
    request->rw.sector_number = sector;
    for (u32 i = 0; i < ARRAY_SIZE(frames); i++) {
      u8 *page = frame_window(i, frames[i]);
      for (u32 s = 0; s < SECTORS_PER_PAGE; s++) {
        if (pass == 0) fill_sector(page + s * SECTOR_SIZE, sector + i * SECTORS_PER_PAGE + s, 5);
        else memset(page + s * SECTOR_SIZE, 0, SECTOR_SIZE);
      }
      refs[i] = grant_frame(disk.domid, (u32)frames[i], pass == 0);
      REQUIRE(refs[i] != 0, "grants have run out");
      request->rw.segments[i] = (struct blkif_segment){ refs[i], 0, SECTORS_PER_PAGE - 1 };
    }
    int result = blkfront_run(&disk, 1);
    end_grants(refs, ARRAY_SIZE(frames));
    REQUIRE(result == BLKIF_RSP_OKAY, "it gives %d", result);
  }
  for (u32 i = 0; i < ARRAY_SIZE(frames); i++) {
    u8 *page = frame_window(i, frames[i]);
    for (u32 s = 0; s < SECTORS_PER_PAGE; s++) {
      EXPECT(sector_is(page + s * SECTOR_SIZE, sector + i * SECTORS_PER_PAGE + s, 5), "sector %u of page %u comes back changed", s, i);
    }
  }
}

CHECK(high_dma, "high", "a PCI device reaches it, where its addresses go that far") {
  struct edu edu;
  if (!have_high_memory()) return;
  if (!edu_open(&edu)) return skip("there is no educational device");
  u64 *from = frame_window(0, first_frame), *to = frame_window(1, end_frame - 1);
  for (u32 i = 0; i < 512; i++) {
    from[i] = i * 0x0101010101010101ull + 1;
    to[i] = 0;
  }
  edu_transfer(&edu, first_frame * PAGE_SIZE, EDU_BUFFER, PAGE_SIZE, 0);
  edu_transfer(&edu, EDU_BUFFER, (end_frame - 1) * PAGE_SIZE, PAGE_SIZE, EDU_DMA_TO_RAM);
  if (to[0] == 0) return skip("its addresses end below");
  EXPECT(memcmp(from, to, PAGE_SIZE) == 0, "the data is another");
}

CHECK(high_message, "high", "a message addressed to memory there is a write to it") {
  struct edu edu;
  if (!have_high_memory()) return;
  if (!edu_open(&edu)) return skip("there is no educational device");
  u32 msi = pci_capability(edu.devfn, PCI_CAPABILITY_MSI);
  REQUIRE(msi != 0, "it has no MSI capability");
  volatile u32 *word = frame_window(0, end_frame - 1);
  u64 address = (end_frame - 1) * PAGE_SIZE;
  *word = 0;
  pci_write32(edu.devfn, msi + MSI_LOW, (u32)address);
  pci_write32(edu.devfn, msi + MSI_HIGH, (u32)(address >> 32));
  pci_write32(edu.devfn, msi + MSI_DATA, 0x1234);
  pci_write32(edu.devfn, msi + MSI_CONTROL, MSI_ENABLE);
  edu_write(&edu, EDU_RAISE, 1);
  EXPECT_EQ(*word, 0x1234);
  edu_write(&edu, EDU_ACKNOWLEDGE, 1);
  pci_write32(edu.devfn, msi + MSI_CONTROL, 0);
}
