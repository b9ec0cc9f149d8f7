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

/* The order of the groups. Those before `callback` must not need events. */
static const char *const groups[] = {
  "cpuid", "version", "hypercall", "memory", "hvm",   "smp",   "callback", "vcpu",     "evtchn", "ipi",
  "pirq",  "time",    "timer",     "runstate", "power", "sched", "tables", "grant", "xenstore", "disk", "fifo",
  "hyperv", "console", "platform", "pit", "message", "ide", "virtio", "high", "suspend",
  "net",
};

/* Groups that run only when they are named: they want something of the host. */
static const char *const asked_only[] = { "suspend", "net" };

struct setup machine;
const struct boot_info *boot_parameters;
bool upcall_vectors_set;

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
  if (any) return group_named(group);
  for (size_t i = 0; i < ARRAY_SIZE(asked_only); i++) {
    if (strcmp(asked_only[i], group) == 0) return false;
  }
  return true;
}

static u32 count_checks(void) {
  u32 count = 0;
  for (const struct check *check = checks_start; check < checks_end; check++) count += group_wanted(check->group);
  return count;
}

static void run(const struct check *check) {
  u64 start = now_ns();
  tap_run(check);
  if (boot_flag(boot_parameters, "times")) note("%lu us", (now_ns() - start) / 1000);
}

/* An exception in a check: nothing can be trusted any more. */
static void bail_out(const struct interrupt_frame *frame) {
  const char *title = tap_current() != NULL ? tap_current() : "start-up";
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
  finish(tap_end() ? 0 : 1);
}
