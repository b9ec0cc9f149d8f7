/*
 * Xenstore: transactions that meet and that do not, with a watch on the node: each change is told once, what was not
 * committed is not, and a transaction that met a change is refused.
 */
#include "xenstore.h"

#include "stress.h"

#include "../lib/clock.h"
#include "../lib/string.h"
#include "../lib/xs.h"

#define NODE "data/stress"
#define TOKEN "stress"
#define TARGET "memory/target"
#define TARGET_TOKEN "target"

static try_lock busy;
static bool watching;
/* What the node holds; changes made, and changes told by the watch. */
static u64 value, changes, told;
static bool target_changed;

/* Takes the watch events that have come. The lock is held. */
static void take_events(u64 timeout_ns) {
  struct xs_event event;
  while (xs_next_event(&event, timeout_ns)) {
    timeout_ns = 0;
    if (strcmp(event.token, TARGET_TOKEN) == 0) target_changed = true;
    else if (strcmp(event.token, TOKEN) == 0) {
      told++;
      count_event(&xenstore);
    } else failure(&xenstore, "a watch event with token '%s' came", event.token);
  }
}

static bool watch(const char *path, const char *token) {
  long result = xs_watch(XS_WATCH, path, token);
  if (result < 0) failure(&xenstore, "%s cannot be watched: %ld", path, result);
  return result >= 0;
}

bool xenstore_listen(void) {
  if (!xs_init() || !watch(TARGET, TARGET_TOKEN)) return false;
  return true;
}

bool xenstore_target(u64 *kib) {
  if (!try_acquire(&busy)) return false;
  take_events(0);
  bool changed = target_changed;
  target_changed = false; /* before the look: what comes later is told again */
  s64 number = changed ? xs_read_number(TARGET) : -1;
  release(&busy);
  if (changed && number < 0) failure(&xenstore, TARGET " cannot be read");
  *kib = (u64)number;
  return changed && number >= 0;
}

/* A watch is told once when it is set. */
static bool prepare(void) {
  if (watching) return true;
  if (!xs_init() || xs_write_number(0, NODE, value) < 0 || !watch(NODE, TOKEN)) return false;
  changes = 1;
  watching = true;
  return true;
}

static void expect(const char *what, long result, long expected) {
  if (result != expected) failure(&xenstore, "%s gives %ld, not %ld", what, result, expected);
}

static void set(u32 tx, u64 number) {
  if (xs_write_number(tx, NODE, number) < 0) failure(&xenstore, "the node cannot be written in transaction %u", tx);
}

static u32 start(void) {
  u32 tx = 0;
  long result = xs_transaction_start(&tx);
  if (result < 0 || tx == 0) failure(&xenstore, "a transaction cannot be started: %ld", result);
  return tx;
}

/* Each reads the node first: a transaction that has read what another changes must not be committed. */
static u32 start_and_read(void) {
  char text[24];
  u32 tx = start();
  const char *at = text;
  if (xs_read(tx, NODE, text, sizeof text) <= 0 || parse_decimal(&at) != value) {
    failure(&xenstore, "the node is not %lu in transaction %u", value, tx);
  }
  return tx;
}

static void committed(u64 number) {
  value = number;
  changes++;
}

static void commit_one(void) {
  u32 tx = start_and_read();
  set(tx, value + 1);
  expect("a transaction that nothing met", xs_transaction_end(tx, true), 0);
  committed(value + 1);
}

static void abort_one(void) {
  u32 tx = start_and_read();
  set(tx, value + 1000);
  expect("the end of a transaction that is given up", xs_transaction_end(tx, false), 0);
}

/* A write outside, while the transaction is open. */
static void meet_write(void) {
  u32 tx = start_and_read();
  set(0, value + 1);
  set(tx, value + 1000);
  expect("a transaction that met a write", xs_transaction_end(tx, true), -EAGAIN);
  committed(value + 1);
}

static void meet_each_other(void) {
  u32 first = start_and_read(), second = start_and_read();
  set(second, value + 1000);
  set(first, value + 1);
  expect("the first of two transactions", xs_transaction_end(first, true), 0);
  expect("the second of two transactions", xs_transaction_end(second, true), -EAGAIN);
  committed(value + 1);
}

static bool step(u32 cpu UNUSED) {
  static void (*const acts[])(void) = { commit_one, abort_one, meet_write, meet_each_other };
  if (!try_acquire(&busy)) return false;
  acts[random_below(ARRAY_SIZE(acts))]();
  u64 end = now_ns() + patience;
  while (told < changes && now_ns() < end) take_events(10 * MS);
  take_events(0);
  if (told != changes) failure(&xenstore, "%lu changes of the node, but the watch tells %lu", changes, told);
  if (xs_read_number(NODE) != (s64)value) failure(&xenstore, "the node is not %lu", value);
  count_operation(&xenstore);
  release(&busy);
  return true;
}

/* A step leaves nothing behind. */
static bool quiet(void) { return true; }
static void settle(void) {}

struct workload xenstore = { "xenstore", prepare, step, quiet, settle, NULL, 0, 0, 0 };
