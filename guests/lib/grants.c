/* [GNT] public/grant_table.h: "Introducing a valid entry into the grant table", "Invalidating an unused GTF_permit_access". */
#include "grants.h"

#include "pci.h"

volatile struct grant_entry_v1 *grant_table;

static u8 table_pages[GRANT_FRAMES][PAGE_SIZE] PAGE_ALIGNED;
static u8 used[GRANT_FRAMES * GRANTS_PER_FRAME];

static u64 table_address(void) {
  int devfn = pci_find(XEN_PLATFORM_ID);
  if (devfn >= 0) {
    struct pci_bar bar = pci_bar((u32)devfn, 1);
    if (!bar.io && bar.base != 0 && bar.size >= sizeof table_pages) return bar.base;
  }
  return address_of(table_pages);
}

long grants_init(void) {
  if (grant_table != NULL) return 0;
  u64 address = table_address();
  for (u32 i = 0; i < GRANT_FRAMES; i++) {
    long result = add_to_physmap(XENMAPSPACE_grant_table, i, address / PAGE_SIZE + i);
    if (result != 0) return result;
  }
  grant_table = pointer_to(address);
  return 0;
}

grant_ref_t grant_frame(domid_t domid, u32 frame, bool read_only) {
  for (grant_ref_t ref = GNTTAB_NR_RESERVED_ENTRIES; ref < ARRAY_SIZE(used); ref++) {
    if (used[ref] || __atomic_exchange_n(&used[ref], 1, __ATOMIC_ACQUIRE) != 0) continue; /* another CPU may be faster */
    grant_table[ref].frame = frame;
    grant_table[ref].domid = domid;
    __asm__ volatile("" : : : "memory"); /* the flags go last: they make the entry valid */
    grant_table[ref].flags = GTF_permit_access | (read_only ? GTF_readonly : 0);
    return ref;
  }
  return 0;
}

grant_ref_t grant_page(domid_t domid, const volatile void *page, bool read_only) {
  return grant_frame(domid, (u32)frame_of(page), read_only);
}

bool grant_in_use(grant_ref_t ref) { return (grant_table[ref].flags & (GTF_reading | GTF_writing)) != 0; }

bool grant_end(grant_ref_t ref) {
  u16 flags = grant_table[ref].flags;
  do {
    if (flags & (GTF_reading | GTF_writing)) return false;
  } while (!__atomic_compare_exchange_n(&grant_table[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  __atomic_store_n(&used[ref], 0, __ATOMIC_RELEASE);
  return true;
}
