/* xenstore as the guest sees it: [XS] docs/misc/xenstore.txt. Everything happens under the guest's own `data` node. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/format.h"
#include "../lib/string.h"
#include "../lib/xs.h"

#define PATIENCE (10 * SECOND)
#define ROOT "data/selftest"

static char value[XS_PAYLOAD_MAX + 1];

/* Ends the check when there is no store; leaves an empty directory to work in. */
#define WITH_STORE() \
  do { \
    REQUIRE(xs_init(), "there is no xenstore"); \
    xs_path(XS_RM, 0, ROOT); \
    REQUIRE(xs_path(XS_MKDIR, 0, ROOT) >= 0, "%s cannot be made", ROOT); \
    xs_drop_events(); \
  } while (0)

static bool reads(u32 tx, const char *path, const char *expected) {
  long length = xs_read(tx, path, value, sizeof value);
  if (length == (long)strlen(expected) && strcmp(value, expected) == 0) return true;
  fail("%s reads %ld%s '%s', not '%s'", path, length, error_name(length), length < 0 ? "" : value, expected);
  return false;
}

CHECK(own_nodes, "xenstore", "the guest finds its own domain's nodes") {
  REQUIRE(xs_init(), "there is no xenstore");
  EXPECT(xs_read_number("domid") >= 0, "its domid is '%s'", value);
  long length = xs_directory(0, ".", value, sizeof value);
  EXPECT(length == -EINVAL, "a path with a dot gives %ld", length);
  length = xs_directory(0, "device", value, sizeof value);
  EXPECT(length >= 0, "its devices cannot be listed: %ld%s", length, error_name(length));
}

CHECK(write_read, "xenstore", "values are written and read, also long and empty ones") {
  WITH_STORE();
  EXPECT(xs_write(0, ROOT "/a", "hello") >= 0, "it cannot be written");
  if (!reads(0, ROOT "/a", "hello")) return;
  EXPECT(xs_write(0, ROOT "/a", "") >= 0, "it cannot be emptied");
  if (!reads(0, ROOT "/a", "")) return;
  static char request[2100];
  u32 prefix = (u32)format(request, sizeof request, "%s", ROOT "/long") + 1;
  memset(request + prefix, 'v', 2000);
  EXPECT(xs_request(XS_WRITE, 0, request, prefix + 2000, NULL, 0) >= 0, "2000 bytes cannot be written");
  EXPECT_EQ(xs_read(0, ROOT "/long", value, sizeof value), 2000);
  EXPECT(value[0] == 'v' && value[1999] == 'v', "they come back changed");
}

CHECK(binary, "xenstore", "values may hold any byte") {
  WITH_STORE();
  static const char bytes[] = ROOT "/b\0\001\0\377\n";
  EXPECT(xs_request(XS_WRITE, 0, bytes, sizeof ROOT "/b" + 4, NULL, 0) >= 0, "they cannot be written");
  EXPECT_EQ(xs_read(0, ROOT "/b", value, sizeof value), 4);
  EXPECT(memcmp(value, "\001\0\377\n", 4) == 0, "they come back changed");
}

CHECK(directories, "xenstore", "directories list their children, parents come by themselves, rm takes all") {
  WITH_STORE();
  EXPECT(xs_write(0, ROOT "/x/y/z", "deep") >= 0, "a node whose parents are missing cannot be written");
  EXPECT(xs_write(0, ROOT "/w", "") >= 0, "w cannot be written");
  long length = xs_directory(0, ROOT, value, sizeof value);
  EXPECT(length == 4 && ((memcmp(value, "w\0x", 4) == 0) || memcmp(value, "x\0w", 4) == 0), "%ld bytes: '%s'", length, value);
  EXPECT(xs_path(XS_RM, 0, ROOT "/x") >= 0, "x cannot be removed");
  EXPECT_EQ(xs_read(0, ROOT "/x/y/z", value, sizeof value), -ENOENT);
  EXPECT_EQ(xs_directory(0, ROOT "/x", value, sizeof value), -ENOENT);
  EXPECT(xs_path(XS_RM, 0, ROOT "/x") >= 0, "removing a missing node whose parent exists is no error");
  EXPECT_EQ(xs_path(XS_RM, 0, ROOT "/no/such/parent"), -ENOENT);
}

CHECK(directory_part, "xenstore", "DIRECTORY_PART gives a generation and the names") {
  WITH_STORE();
  xs_write(0, ROOT "/one", "");
  static const char request[] = ROOT "\0" "0";
  long length = xs_request(XS_DIRECTORY_PART, 0, request, sizeof request, value, sizeof value);
  REQUIRE(length > 0, "it gives %ld%s", length, error_name(length));
  const char *names = value + strlen(value) + 1;
  EXPECT(strcmp(names, "one") == 0 && value + length == names + 5, "the names are '%s', %ld bytes in all", names, length);
}

CHECK(permissions, "xenstore", "the guest's nodes are its own, others' are closed to it") {
  WITH_STORE();
  xs_write(0, ROOT "/p", "");
  long length = xs_request(XS_GET_PERMS, 0, ROOT "/p", sizeof ROOT "/p", value, sizeof value);
  s64 domid = xs_read_number("domid");
  char owner[16];
  xs_request(XS_GET_PERMS, 0, ROOT "/p", sizeof ROOT "/p", value, sizeof value);
  format(owner, sizeof owner, "n%ld", domid);
  EXPECT(length > 0 && strcmp(value, owner) == 0, "the permissions are '%s'", value);
  EXPECT_EQ(xs_write(0, "/local/domain/0/selftest", "x"), -EACCES);
  EXPECT_EQ(xs_write(0, "/selftest", "x"), -EACCES);
  EXPECT_EQ(xs_path(XS_RM, 0, "/local"), -EACCES);
  EXPECT_EQ(xs_path(XS_MKDIR, 0, "/local/domain/0/selftest"), -EACCES);
}

CHECK(set_permissions, "xenstore", "permissions are set, and nonsense among them refused") {
  WITH_STORE();
  s64 domid = xs_read_number("domid");
  char request[64];
  xs_write(0, ROOT "/p", "");
  u32 path = (u32)format(request, sizeof request, "%s", ROOT "/p") + 1;
  u32 first = (u32)format(request + path, sizeof request - path, "n%ld", domid) + 1;
  u32 second = (u32)format(request + path + first, sizeof request - path - first, "r0") + 1;
  EXPECT(xs_request(XS_SET_PERMS, 0, request, path + first + second, NULL, 0) >= 0, "they cannot be set");
  long length = xs_request(XS_GET_PERMS, 0, ROOT "/p", sizeof ROOT "/p", value, sizeof value);
  EXPECT(length == (long)(first + second) && strcmp(value + first, "r0") == 0, "%ld bytes: '%s'", length, value);
  request[path] = 'q';
  EXPECT_EQ(xs_request(XS_SET_PERMS, 0, request, path + first, NULL, 0), -EINVAL);
  EXPECT_EQ(xs_request(XS_SET_PERMS, 0, request, path, NULL, 0), -EINVAL);
  path = (u32)format(request, sizeof request, "%s", ROOT "/p") + 1;
  first = (u32)format(request + path, sizeof request - path, "n0") + 1;
  length = xs_request(XS_SET_PERMS, 0, request, path + first, NULL, 0);
  EXPECT(length == -EPERM || length == -EACCES, "giving it away gives %ld%s", length, error_name(length));
}

CHECK(bad_paths, "xenstore", "paths that are none give EINVAL") {
  WITH_STORE();
  static const char *const paths[] = { "", "//", "/local//domain", "/local/", "/local/dom*in", "data/ selftest", "data/\001" };
  for (u32 i = 0; i < ARRAY_SIZE(paths); i++) {
    long length = xs_read(0, paths[i], value, sizeof value);
    EXPECT(length == -EINVAL, "'%s' gives %ld%s", paths[i], length, error_name(length));
  }
  EXPECT_EQ(xs_request(XS_READ, 0, "data", 4, value, sizeof value), -EINVAL); /* no NUL */
  EXPECT_EQ(xs_request(XS_READ, 0, "", 0, value, sizeof value), -EINVAL);
  static char path[3200];
  memset(path, 'p', sizeof path - 1);
  path[0] = '/';
  EXPECT_EQ(xs_read(0, path, value, sizeof value), -EINVAL);
}

CHECK(bad_requests, "xenstore", "unknown and privileged requests are refused, and the store goes on") {
  WITH_STORE();
  static const u32 unknown[] = { XS_RESTRICT, XS_WATCH_EVENT, XS_ERROR, 77, 0x7fffffff, 0xffffffff };
  static const u32 privileged[] = { XS_INTRODUCE, XS_RELEASE, XS_RESUME, XS_SET_TARGET };
  for (u32 i = 0; i < ARRAY_SIZE(unknown); i++) {
    long result = xs_request(unknown[i], 0, "data", 5, value, sizeof value);
    EXPECT(result == -ENOSYS || result == -EINVAL, "type 0x%x gives %ld%s", unknown[i], result, error_name(result));
  }
  for (u32 i = 0; i < ARRAY_SIZE(privileged); i++) {
    long result = xs_request(privileged[i], 0, "1", 2, value, sizeof value);
    EXPECT(result == -EACCES || result == -EPERM || result == -ENOSYS, "type %u gives %ld%s", privileged[i], result,
           error_name(result));
  }
  EXPECT_EQ(xs_read(0, ROOT "/nothing", value, sizeof value), -ENOENT);
}

CHECK(strange_names, "xenstore", "node names mean nothing but themselves") {
  WITH_STORE();
  static const char *const names[] = { ROOT "/__proto__", ROOT "/constructor", ROOT "/toString", ROOT "/-", ROOT "/_@" };
  for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
    long length = xs_read(0, names[i], value, sizeof value);
    EXPECT(length == -ENOENT || i == 4, "%s exists from the start: %ld", names[i], length);
    length = xs_write(0, names[i], names[i]);
    EXPECT(length >= 0 || i == 4, "%s cannot be written: %ld", names[i], length);
    if (length >= 0 && !reads(0, names[i], names[i])) return;
  }
}

CHECK(transaction, "xenstore", "a transaction is seen by itself at once, by others when it is committed") {
  WITH_STORE();
  u32 tx;
  REQUIRE_EQ(xs_transaction_start(&tx), 0);
  REQUIRE(tx != 0, "its number is 0");
  xs_write(tx, ROOT "/t", "inside");
  if (!reads(tx, ROOT "/t", "inside")) return;
  EXPECT_EQ(xs_read(0, ROOT "/t", value, sizeof value), -ENOENT);
  REQUIRE_EQ(xs_transaction_end(tx, true), 0);
  reads(0, ROOT "/t", "inside");
}

CHECK(transaction_abort, "xenstore", "an aborted transaction leaves nothing") {
  WITH_STORE();
  u32 tx;
  xs_write(0, ROOT "/t", "before");
  REQUIRE_EQ(xs_transaction_start(&tx), 0);
  xs_write(tx, ROOT "/t", "inside");
  REQUIRE_EQ(xs_transaction_end(tx, false), 0);
  reads(0, ROOT "/t", "before");
}

CHECK(transaction_conflict, "xenstore", "a transaction that read what has changed since gives EAGAIN") {
  WITH_STORE();
  u32 tx;
  xs_write(0, ROOT "/t", "before");
  REQUIRE_EQ(xs_transaction_start(&tx), 0);
  reads(tx, ROOT "/t", "before");
  xs_write(tx, ROOT "/t", "inside");
  xs_write(0, ROOT "/t", "outside");
  EXPECT_EQ(xs_transaction_end(tx, true), -EAGAIN);
  reads(0, ROOT "/t", "outside");
}

CHECK(transaction_unknown, "xenstore", "transactions that do not exist give ENOENT, too many ENOSPC") {
  WITH_STORE();
  EXPECT_EQ(xs_read(0xffffffff, ROOT, value, sizeof value), -ENOENT);
  EXPECT_EQ(xs_transaction_end(0x12345, true), -ENOENT);
  u32 open[64], count = 0;
  long result = 0;
  while (count < ARRAY_SIZE(open) && (result = xs_transaction_start(&open[count])) == 0) count++;
  EXPECT(count >= 4 && result == -ENOSPC, "%u can be open, the next gives %ld%s", count, result, error_name(result));
  for (u32 i = 0; i < count; i++) EXPECT_EQ(xs_transaction_end(open[i], false), 0);
}

static bool expect_event(const char *path, const char *token) {
  struct xs_event event;
  if (!xs_next_event(&event, PATIENCE)) {
    fail("no event for %s", path);
    return false;
  }
  if (strcmp(event.path, path) == 0 && strcmp(event.token, token) == 0) return true;
  fail("the event is '%s' '%s', not '%s' '%s'", event.path, event.token, path, token);
  return false;
}

CHECK(watches, "xenstore", "a watch fires when it is set and for every change at and below it") {
  WITH_STORE();
  REQUIRE(xs_watch(XS_WATCH, ROOT "/w", "token") >= 0, "it cannot be set");
  if (!expect_event(ROOT "/w", "token")) return;
  xs_write(0, ROOT "/w", "1");
  if (!expect_event(ROOT "/w", "token")) return;
  xs_write(0, ROOT "/w/below/it", "2");
  if (!expect_event(ROOT "/w/below/it", "token")) return;
  xs_write(0, ROOT "/elsewhere", "3");
  xs_path(XS_RM, 0, ROOT "/w");
  if (!expect_event(ROOT "/w", "token")) return;
  xs_drop_events();
  EXPECT(xs_watch(XS_UNWATCH, ROOT "/w", "token") >= 0, "it cannot be taken back");
  xs_write(0, ROOT "/w", "4");
  struct xs_event event;
  EXPECT(!xs_next_event(&event, 50 * MS), "it fires after it was taken back: '%s'", event.path);
}

CHECK(watch_absolute, "xenstore", "a watch on an absolute path gives absolute paths") {
  WITH_STORE();
  char path[80];
  format(path, sizeof path, "/local/domain/%ld/%s", xs_read_number("domid"), ROOT);
  REQUIRE(xs_watch(XS_WATCH, path, "absolute") >= 0, "it cannot be set");
  if (!expect_event(path, "absolute")) return;
  xs_write(0, ROOT, "new");
  if (!expect_event(path, "absolute")) return;
  xs_watch(XS_UNWATCH, path, "absolute");
}

CHECK(watch_transaction, "xenstore", "watches hear of a transaction when it is committed") {
  WITH_STORE();
  u32 tx;
  xs_watch(XS_WATCH, ROOT "/t", "tx");
  if (!expect_event(ROOT "/t", "tx")) return;
  REQUIRE_EQ(xs_transaction_start(&tx), 0);
  xs_write(tx, ROOT "/t", "inside");
  struct xs_event event;
  EXPECT(!xs_next_event(&event, 50 * MS), "it fires before");
  REQUIRE_EQ(xs_transaction_end(tx, true), 0);
  expect_event(ROOT "/t", "tx");
  xs_watch(XS_UNWATCH, ROOT "/t", "tx");
}

CHECK(watch_errors, "xenstore", "the same watch twice gives EEXIST, an unknown one ENOENT, too many E2BIG") {
  WITH_STORE();
  EXPECT(xs_watch(XS_WATCH, ROOT, "a") >= 0, "it cannot be set");
  EXPECT_EQ(xs_watch(XS_WATCH, ROOT, "a"), -EEXIST);
  EXPECT_EQ(xs_watch(XS_UNWATCH, ROOT, "b"), -ENOENT);
  long result = 0;
  u32 count = 0;
  char token[16];
  for (; count < 300; count++) {
    format(token, sizeof token, "many-%u", count);
    if ((result = xs_watch(XS_WATCH, ROOT, token)) < 0) break;
  }
  EXPECT(count > 60 && (result == -E2BIG || result == -ENOSPC), "%u are possible, the next gives %ld%s", count, result,
         error_name(result));
  xs_request(XS_RESET_WATCHES, 0, "", 1, NULL, 0);
  xs_drop_events();
  xs_write(0, ROOT, "quiet");
  struct xs_event event;
  EXPECT(!xs_next_event(&event, 50 * MS), "RESET_WATCHES leaves '%s' '%s'", event.path, event.token);
}

CHECK(quota, "xenstore", "nodes run out with ENOSPC, and come back when they are removed") {
  WITH_STORE();
  char path[48];
  long result = 0;
  u32 count = 0;
  for (; count < 1100; count++) {
    format(path, sizeof path, ROOT "/n%u/%u", count / 32, count % 32); /* few children each: their names count too */
    if ((result = xs_write(0, path, "")) < 0) break;
  }
  EXPECT(count > 500 && result == -ENOSPC, "%u nodes are possible, the next gives %ld%s", count, result, error_name(result));
  EXPECT(xs_path(XS_RM, 0, ROOT) >= 0, "they cannot be removed");
  EXPECT(xs_write(0, ROOT "/again", "") >= 0, "afterwards nothing can be written");
}

CHECK(too_long, "xenstore", "a value past the quota is refused") {
  WITH_STORE();
  static char request[4000];
  u32 prefix = (u32)format(request, sizeof request, "%s", ROOT "/huge") + 1;
  memset(request + prefix, 'h', sizeof request - prefix);
  long result = xs_request(XS_WRITE, 0, request, sizeof request, NULL, 0);
  EXPECT(result == -E2BIG || result == -ENOSPC, "%lu bytes give %ld%s", sizeof request - prefix, result, error_name(result));
}
