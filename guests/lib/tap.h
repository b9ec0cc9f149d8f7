/*
 * Checks, reported in TAP (Test Anything Protocol): one each for one promise. A check passes unless it calls fail() or
 * skip(); it may go on after fail() and only its first failure is shown.
 */
#ifndef GUEST_TAP_H
#define GUEST_TAP_H

#include "types.h"

struct check {
  const char *group, *title;
  void (*run)(void);
};

/* In the order of the source: the compiler would turn it round. */
#define CHECK_ENTRY __attribute__((used, no_reorder, section(".checks"), aligned(sizeof(void *))))
#define CHECK(id, group, title) \
  static void check_##id(void); \
  static const struct check entry_##id CHECK_ENTRY = { group, title, check_##id }; \
  static void check_##id(void)

void fail(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
void skip(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
/* A comment line, for people. */
void note(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
/* True once the running check has failed. */
bool failed(void);

/* Name of a negative Xen error, for messages. */
const char *error_name(long result);
void fail_unequal(const char *what, long actual, long expected);

#define EXPECT(condition, ...) \
  do { \
    if (!(condition)) fail(__VA_ARGS__); \
  } while (0)
#define EXPECT_EQ(actual, expected) \
  do { \
    long actual_value = (long)(actual), expected_value = (long)(expected); \
    if (actual_value != expected_value) fail_unequal(#actual, actual_value, expected_value); \
  } while (0)
/* As above, and the check ends there. */
#define REQUIRE(condition, ...) \
  do { \
    if (!(condition)) { \
      fail(__VA_ARGS__); \
      return; \
    } \
  } while (0)
#define REQUIRE_EQ(actual, expected) \
  do { \
    long actual_value = (long)(actual), expected_value = (long)(expected); \
    if (actual_value != expected_value) { \
      fail_unequal(#actual, actual_value, expected_value); \
      return; \
    } \
  } while (0)

/* All checks of this guest, in link order. */
extern const struct check checks_start[], checks_end[];

/* Runs one and prints its line. */
void tap_run(const struct check *check);
/* Title of the check that is running, or ran last; NULL before the first. */
const char *tap_current(void);
/* Prints how many passed, and the verdict as the last line: "# selftest passed" or "# selftest failed". True for the former. */
bool tap_end(void);

#endif
