/*
 * The self-test guest: runs every check and reports in TAP (Test Anything Protocol) on the PV console.
 *
 * Command line: names of groups to run, or `group=<name>,<name>` (all when none is given); `no-<group>` leaves one out; `vcpus=N` says how many
 * there must be; `serial` copies the output to COM1; `debug-exit` ends by isa-debug-exit, with value 0 or 1; `xapic` and
 * `up` as in lib/setup.h. Without these words the end is SCHEDOP_shutdown, poweroff, and the result is the last line:
 * "# selftest passed" or "# selftest failed".
 */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/console.h"
#include "../lib/events.h"
#include "../lib/format.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/string.h"

extern const struct check checks_start[], checks_end[];

/* The order of the groups. Those before `callback` must not need events. */
static const char *const groups[] = {
  "cpuid", "version", "hypercall", "memory", "hvm",   "smp",   "callback", "vcpu",     "evtchn", "ipi",
  "pirq",  "time",    "timer",     "runstate", "sched", "grant", "xenstore", "disk", "console", "platform",
};

struct setup machine;
const struct boot_info *boot_parameters;
bool upcall_vectors_set;

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

long use_upcall_vectors(void) {
  long result = 0;
  for (u32 i = 0; i < cpu_count && result == 0; i++) result = events_use_upcall_vector(&cpus[i]);
  upcall_vectors_set = true;
  return result;
}

static bool group_named(const char *group) {
  return boot_flag(boot_parameters, group) || boot_listed(boot_parameters, "group", group);
}

static bool group_wanted(const char *group) {
  char excluded[32];
  format(excluded, sizeof excluded, "no-%s", group);
  if (boot_flag(boot_parameters, excluded)) return false;
  bool any = false;
  for (size_t i = 0; i < ARRAY_SIZE(groups); i++) any |= group_named(groups[i]);
  return !any || group_named(group);
}

static u32 count_checks(void) {
  u32 count = 0;
  for (const struct check *check = checks_start; check < checks_end; check++) count += group_wanted(check->group);
  return count;
}

static void report(const struct check *check, u64 ns) {
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
  if (boot_flag(boot_parameters, "times")) note("%lu us", ns / 1000);
}

static void run(const struct check *check) {
  failures_in_check = 0;
  skipped = false;
  current = check;
  u64 start = now_ns();
  check->run();
  report(check, now_ns() - start);
}

/* An exception in a check: nothing can be trusted any more. */
static void bail_out(const struct interrupt_frame *frame) {
  const char *title = current != NULL ? current->title : "start-up";
  print("Bail out! exception %lu, error 0x%lx, at 0x%lx on CPU %u, in: %s\n", frame->vector, frame->error, frame->rip,
        this_cpu()->index, title);
  print("# selftest failed\n");
}

static void describe_machine(void) {
  static const char *const protocols[] = { "PVH", "multiboot", "an unknown protocol" };
  u32 base = xen_cpuid_base();
  long version = machine.xen ? xen_version(XENVER_version, NULL) : 0;
  note("xenolith selftest, booted by %s, %u of %u CPUs up", protocols[boot_parameters->protocol], cpu_count,
       machine.machine.cpus);
  note("Xen %ld.%ld, CPUID leaves at 0x%x; PV console %s", version >> 16, version & 0xffff, base,
       machine.pv_console ? "in use" : "absent");
}

void guest_main(const struct boot_info *boot) {
  boot_parameters = boot;
  set_fault_reporter(bail_out);
  setup_guest(boot, &machine);
  describe_machine();
  if (!machine.xen || machine.shared_info_result != 0) {
    print("Bail out! %s\n", machine.xen ? "shared_info cannot be mapped" : "this machine is not a Xen guest");
    print("# selftest failed\n");
    finish(1);
  }
  print("1..%u\n", count_checks());
  for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
    if (strcmp(groups[i], "vcpu") == 0 && !upcall_vectors_set) use_upcall_vectors();
    if (!group_wanted(groups[i])) continue;
    for (const struct check *check = checks_start; check < checks_end; check++) {
      if (strcmp(check->group, groups[i]) == 0) run(check);
    }
  }
  note("%u passed, %u failed, %u skipped", number - failed_checks - skipped_checks, failed_checks, skipped_checks);
  print("# selftest %s\n", failed_checks == 0 ? "passed" : "failed");
  finish(failed_checks == 0 ? 0 : 1);
}
