/* Runs the hypercall tables: what is spec'd in the hypervisor's own process holds in a guest. */
#include "tables.h"

#include "check.h"

#include "../lib/clock.h"
#include "../lib/hypercall.h"
#include "../lib/string.h"

/* The largest struct, its guard, and an array of them. */
#define PLACE_BYTES 2048

static u8 argument_place[PLACE_BYTES] PAGE_ALIGNED, data_place[PLACE_BYTES];
static u8 spare_pages[2][PAGE_SIZE] PAGE_ALIGNED;
static u8 snapshot[2 * PAGE_SIZE];
static u64 slots[TABLE_SLOTS];

static void *place_address(u32 place) {
  switch (place) {
    case PLACE_ARGUMENT: return argument_place;
    case PLACE_DATA: return data_place;
    case PLACE_SPARE: return spare_pages[0];
    case PLACE_OTHER_SPARE: return spare_pages[1];
    case PLACE_BOUNDARY: return probe(PROBE_SECOND, 0);
    case PLACE_CLIFF:
    case PLACE_HOLE: return probe(PROBE_HOLE, 0);
    case PLACE_READ_ONLY: return probe(PROBE_READ_ONLY, 0);
    case PLACE_NOT_CANONICAL: return NON_CANONICAL;
    default: return NO_MEMORY;
  }
}

static u64 value_of(const struct table_value *value) {
  switch (value->base) {
    case BASE_ADDRESS: return address_of(place_address(value->which)) + value->plus;
    case BASE_FRAME: return frame_of(place_address(value->which)) + value->plus;
    case BASE_SAVED: return slots[value->which] + value->plus;
    case BASE_NOW: return now_ns() + value->plus;
    case BASE_VCPU: return cpus[value->which == 0 ? this_cpu()->index : 1].xen_id + value->plus;
    default: return value->plus;
  }
}

/* The part of `size` bytes at a place that there is, and that we may write whatever the call may. */
static u8 *reach(const struct table_value *at, u32 size, u32 *there) {
  long before_cliff = -(long)at->plus;
  *there = size;
  switch (at->which) {
    case PLACE_HOLE:
    case PLACE_NOT_CANONICAL:
    case PLACE_NOWHERE: *there = 0; return NULL;
    case PLACE_READ_ONLY: return probe_backing(PROBE_READ_ONLY) + at->plus;
    case PLACE_CLIFF:
      if (before_cliff < (long)size) *there = before_cliff < 0 ? 0 : (u32)before_cliff;
      break;
  }
  return pointer_to(value_of(at));
}

static void prepare(const struct table_call *call) {
  u8 *kept = snapshot;
  u32 there;
  for (u32 i = 0; i < call->areas; i++) {
    u8 *bytes = reach(&call->area[i].at, call->area[i].size + TABLE_GUARD, &there);
    memset(bytes, TABLE_FILLER, there);
  }
  for (u32 i = 0; i < call->stores; i++) {
    u64 value = value_of(&call->store[i].value);
    u8 *bytes = reach(&call->store[i].at, call->store[i].size, &there);
    memcpy(bytes, &value, there);
  }
  for (u32 i = 0; i < call->areas; i++) {
    u8 *bytes = reach(&call->area[i].at, call->area[i].size, &there);
    memcpy(kept, bytes, there);
    kept += there;
  }
}

/* True when a call that failed has left its memory as it was. */
static bool untouched(const struct table_call *call) {
  const u8 *kept = snapshot;
  u32 there;
  for (u32 i = 0; i < call->areas; i++) {
    u8 *bytes = reach(&call->area[i].at, call->area[i].size, &there);
    if (memcmp(bytes, kept, there) != 0) return false;
    kept += there;
  }
  return true;
}

/* True when nothing was written behind what the call may write. */
static bool guarded(const struct table_call *call) {
  u32 there;
  for (u32 i = 0; i < call->areas; i++) {
    const struct table_area *area = &call->area[i];
    u8 *bytes = reach(&area->at, area->size + TABLE_GUARD, &there);
    for (u32 k = area->size; k < there; k++) {
      if (bytes[k] != TABLE_FILLER) return false;
    }
  }
  return true;
}

static long load(const struct table_value *at, u32 size) {
  u32 there, unused = 64 - 8 * size;
  u64 value = 0;
  memcpy(&value, reach(at, size, &there), size);
  return (long)(value << unused) >> unused;
}

static long narrow(u64 value, u32 size) { return (long)(value << (64 - 8 * size)) >> (64 - 8 * size); }

static void expect(const char *name, const char *what, long actual, long low, long high) {
  if (actual >= low && actual <= high) return;
  fail("%s: %s is %ld%s, not %ld%s", name, what, actual, error_name(actual), low, low == high ? error_name(low) : " or more");
}

static void run_call(const char *name, const struct table_call *call) {
  prepare(call);
  u64 arguments[TABLE_ARGUMENTS];
  for (u32 i = 0; i < TABLE_ARGUMENTS; i++) arguments[i] = value_of(&call->arguments[i]);
  long result =
      hypercall5(call->number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
  expect(name, "result", result, (long)value_of(&call->low), (long)value_of(&call->high));
  if (result < 0 && !call->partial) EXPECT(untouched(call), "%s: an error wrote to memory", name);
  EXPECT(guarded(call), "%s: more was written than there is room for", name);
  for (u32 i = 0; i < call->checks; i++) {
    const struct table_check *check = &call->check[i];
    expect(name, "a field", load(&check->at, check->size), narrow(value_of(&check->low), check->size),
           narrow(value_of(&check->high), check->size));
  }
  for (u32 i = 0; i < call->loads; i++) {
    const struct table_load *kept = &call->load[i];
    slots[kept->slot] = (u64)load(&kept->at, kept->size);
  }
  if (call->result_slot >= 0) slots[call->result_slot] = (u64)result;
}

void run_table(const struct table_row *rows, u32 count) {
  u32 left_out = 0;
  for (u32 i = 0; i < count; i++) {
    if (rows[i].vcpus > cpu_count) {
      left_out++;
      continue;
    }
    for (u32 k = 0; k < rows[i].calls; k++) run_call(rows[i].name, &rows[i].call[k]);
  }
  if (left_out > 0) note("%u rows want more vCPUs", left_out);
}
