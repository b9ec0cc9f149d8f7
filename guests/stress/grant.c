/* Grants made, used by GNTTABOP_copy and taken back, on every CPU at once. */
#include "stress.h"

#include "../lib/grants.h"
#include "../lib/x86.h"

/* By CPU. */
static u8 from[MAX_CPUS][PAGE_SIZE] PAGE_ALIGNED, to[MAX_CPUS][PAGE_SIZE] PAGE_ALIGNED;

/* This domain's own number: grants to it are grants to itself. */
static domid_t domid;

/* [CPUID] leaf 4 of Xen's */
static bool prepare(void) {
  struct cpuid_result leaf = cpuid(xen_cpuid_base() + 4, 0);
  domid = (domid_t)leaf.ecx;
  return (leaf.eax & XEN_HVM_CPUID_DOMID_PRESENT) && grants_init() == 0;
}

/* Copies part of a page that is named by its grant, and looks at every byte. */
static void copy(u32 cpu, grant_ref_t ref) {
  u32 length = 1 + random_below(256), source = random_below(PAGE_SIZE - length), target = random_below(PAGE_SIZE - length);
  u8 first = (u8)random_below(256);
  for (u32 i = 0; i < length; i++) {
    from[cpu][source + i] = (u8)(first + i);
    to[cpu][target + i] = (u8)~(first + i);
  }
  struct gnttab_copy copies[1] = { {
    .source = { .page = ref, .domid = DOMID_SELF, .offset = (u16)source },
    .dest = { .page = frame_of(to[cpu]), .domid = DOMID_SELF, .offset = (u16)target },
    .len = (u16)length,
    .flags = GNTCOPY_source_gref,
  } };
  long result = grant_table_op(GNTTABOP_copy, copies, 1);
  if (result != 0 || copies[0].status != GNTST_okay) {
    failure(&grant, "a copy from grant %u gives %ld, status %d", ref, result, copies[0].status);
    return;
  }
  for (u32 i = 0; i < length; i++) {
    if (to[cpu][target + i] == (u8)(first + i)) continue;
    failure(&grant, "byte %u of %u copied from grant %u is wrong", i, length, ref);
    return;
  }
}

static bool step(u32 cpu) {
  grant_ref_t ref = grant_page(domid, from[cpu], random_below(2) == 0);
  if (ref == 0) {
    failure(&grant, "there are no grants left");
    return false;
  }
  copy(cpu, ref);
  if (grant_in_use(ref) || !grant_end(ref)) failure(&grant, "grant %u stays in use", ref);
  count_operation(&grant);
  return true;
}

/* A step leaves nothing behind. */
static bool quiet(void) { return true; }
static void settle(void) {}

struct workload grant = { "grant", prepare, step, quiet, settle, NULL, 0, 0, 0 };
