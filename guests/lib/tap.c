/* Verdicts of checks (tap.h). */
#include "tap.h"

#include "console.h"
#include "format.h"
#include "xen.h"

static char failure[200], skip_reason[120];
static u32 failures_in_check;
static bool skipped;
static u32 number, failed_checks, skipped_checks;
static const struct check *current;

void fail(const char *pattern, ...) {
  va_list arguments;
  if (failures_in_check++ > 0) return;
  va_start(arguments, pattern);
  format_va(failure, sizeof failure, pattern, arguments);
  va_end(arguments);
}

void skip(const char *pattern, ...) {
  va_list arguments;
  skipped = true;
  va_start(arguments, pattern);
  format_va(skip_reason, sizeof skip_reason, pattern, arguments);
  va_end(arguments);
}

void note(const char *pattern, ...) {
  char text[200];
  va_list arguments;
  va_start(arguments, pattern);
  format_va(text, sizeof text, pattern, arguments);
  va_end(arguments);
  print("# %s\n", text);
}

bool failed(void) { return failures_in_check > 0; }

const char *error_name(long result) {
  switch (-result) {
    case EPERM: return " (EPERM)";
    case ENOENT: return " (ENOENT)";
    case ESRCH: return " (ESRCH)";
    case EAGAIN: return " (EAGAIN)";
    case ENOMEM: return " (ENOMEM)";
    case EACCES: return " (EACCES)";
    case EFAULT: return " (EFAULT)";
    case EBUSY: return " (EBUSY)";
    case EEXIST: return " (EEXIST)";
    case EINVAL: return " (EINVAL)";
    case ENOSPC: return " (ENOSPC)";
    case ENOSYS: return " (ENOSYS)";
    case ENODATA: return " (ENODATA)";
    case EOPNOTSUPP: return " (EOPNOTSUPP)";
    default: return "";
  }
}

void fail_unequal(const char *what, long actual, long expected) {
  fail("%s is %ld%s, not %ld%s", what, actual, error_name(actual), expected, error_name(expected));
}

static void report(const struct check *check) {
  number++;
  if (failures_in_check > 0) {
    failed_checks++;
    char more[24] = "";
    if (failures_in_check > 1) format(more, sizeof more, " (and %u more)", failures_in_check - 1);
    print("not ok %u - %s: %s # %s%s\n", number, check->group, check->title, failure, more);
  } else if (skipped) {
    skipped_checks++;
    print("ok %u - %s: %s # SKIP %s\n", number, check->group, check->title, skip_reason);
  } else {
    print("ok %u - %s: %s\n", number, check->group, check->title);
  }
}

void tap_run(const struct check *check) {
  failures_in_check = 0;
  skipped = false;
  current = check;
  check->run();
  report(check);
}

const char *tap_current(void) { return current != NULL ? current->title : NULL; }

bool tap_end(void) {
  note("%u passed, %u failed, %u skipped", number - failed_checks - skipped_checks, failed_checks, skipped_checks);
  print("# selftest %s\n", failed_checks == 0 ? "passed" : "failed");
  return failed_checks == 0;
}
