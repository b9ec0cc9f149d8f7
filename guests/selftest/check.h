/*
 * Checks: one each for one promise. A check passes unless it calls fail() or skip(); it may go on after fail() and only
 * its first failure is shown.
 */
#ifndef SELFTEST_CHECK_H
#define SELFTEST_CHECK_H

#include "../lib/setup.h"

struct check {
  const char *group, *title;
  void (*run)(void);
};

/* In the order of the source: the compiler would turn it round. */
#define CHECK_ENTRY __attribute__((used, no_reorder, section(".checks"), aligned(8)))
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

/* What the machine was found to be before the checks. */
extern struct setup machine;
extern const struct boot_info *boot_parameters;
/* True once per-vCPU upcall vectors are in use. */
extern bool upcall_vectors_set;
long use_upcall_vectors(void);

/*
 * A window of pages at addresses that are not identity-mapped, for pointers that hypercalls must take or refuse. Its pages
 * lie apart in physical memory, and it starts above the 4 GiB that are identity-mapped, where a kernel's addresses are.
 */
#define PROBE_BASE 0xffff900000000000ull
enum probe_page { PROBE_FIRST, PROBE_SECOND, PROBE_HOLE, PROBE_READ_ONLY, PROBE_PAGES };
void *probe(enum probe_page page, u32 offset);
#define NON_CANONICAL pointer_to(0x8000000000000000ull)
/* Mapped, but nothing is there: between RAM and the chips. */
#define NO_MEMORY pointer_to(0xfe000000ull)

#endif
