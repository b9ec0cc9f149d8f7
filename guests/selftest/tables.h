/*
 * Rows of the hypercall tables: (arguments, memory before) and (result, memory after). scripts/hypercall-tables.mjs writes
 * them, as C, from spec/xen/hypercalls/tables, whose words these are: see value.ts and row.ts there.
 */
#ifndef SELFTEST_TABLES_H
#define SELFTEST_TABLES_H

#include "../lib/types.h"

enum table_place {
  PLACE_ARGUMENT, PLACE_DATA, PLACE_SPARE, PLACE_OTHER_SPARE, PLACE_BOUNDARY, PLACE_CLIFF, PLACE_HOLE, PLACE_READ_ONLY,
  PLACE_NOT_CANONICAL, PLACE_NOWHERE,
};
enum table_base { BASE_NONE, BASE_ADDRESS, BASE_FRAME, BASE_SAVED, BASE_NOW, BASE_VCPU };

/* `plus` is added to what `base` stands for; `which` is its place, its slot, or 1 for another vCPU. */
struct table_value {
  u8 base, which;
  u64 plus;
};
/* Memory that a call may touch. */
struct table_area {
  struct table_value at;
  u32 size;
};
/* `size` bytes that a call finds. */
struct table_store {
  struct table_value at, value;
  u8 size;
};
/* What it leaves: from `low` to `high`, signed. */
struct table_check {
  struct table_value at, low, high;
  u8 size;
};
/* What is kept of that for the calls that follow. */
struct table_load {
  struct table_value at;
  u8 size, slot;
};

#define TABLE_ARGUMENTS 5
#define TABLE_SLOTS 4
#define TABLE_FILLER 0xaa
#define TABLE_GUARD 16

struct table_call {
  u32 number;
  /* Slot of the result, -1 for none. */
  int result_slot;
  /* An error may leave memory written. */
  bool partial;
  u8 areas, checks, loads;
  u16 stores;
  struct table_value arguments[TABLE_ARGUMENTS], low, high;
  const struct table_area *area;
  const struct table_store *store;
  const struct table_check *check;
  const struct table_load *load;
};

/* Its own call is among those that bring it about and those that undo it. */
struct table_row {
  const char *name;
  u32 vcpus, calls;
  const struct table_call *call;
};

/* Runs rows one after the other; a failure of one fails the check that is running. */
void run_table(const struct table_row *rows, u32 count);

#endif
