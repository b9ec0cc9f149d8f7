/*
 * The stress guest's boot CPU: rounds of workloads, what they have done, and what went wrong (stress.h), as lines on the PV
 * console:
 *
 *   begin cpus=N channels=2-level|fifo      once, when all is set up
 *   beat MS NAME=EVENTS/OPERATIONS/LONGEST …   twice a second: guest time, what each workload has done so far, longest
 *                                           time to an event, us
 *   fail NAME TEXT                          one thing that went wrong
 *   heard N, target N                       answers to the host (host.h)
 *   sum DISK N                              before the end: what the host must find on a disk (area.h)
 *   end passed|failed                       the last, before the power is switched off
 *
 * Command line: `only=NAME,NAME` chooses workloads, all without it; `fifo` has FIFO event channels; `seed=N`;
 * `patience=MS` after which something is lost; `round=MS`; `plant=lost-event|doubled-event|wrong-byte` makes that fault, once;
 * and those of lib/setup.h.
 */
#include "closeall.h"
#include "host.h"
#include "stress.h"
#include "xenstore.h"

#include "../lib/clock.h"
#include "../lib/console.h"
#include "../lib/events.h"
#include "../lib/fifo.h"
#include "../lib/format.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/x86.h"

#define BEAT (SECOND / 2)
#define DEFAULT_ROUND_MS 1000
#define DEFAULT_PATIENCE_MS 20000
/* Rounds from one EVTCHNOP_reset to the next: disks are connected anew after it, which takes long. */
#define CLOSE_EVERY 4
#define MAX_FAILURES 16
#define FAILURE_TEXT 200
/* The planted fault is made at this opportunity. */
#define PLANT_AT 50

static struct workload *const workloads[] = { &storm, &coalesce, &mask, &move, &bind, &timer, &poll, &xenstore, &disk, &ide, &grant, &sipi, &power, &closeall };
static struct workload *chosen[ARRAY_SIZE(workloads)];
static u32 chosen_count;

u64 patience;
bool ports_must_close;
static u64 round_ns, next_beat, round_end;
static volatile bool stopping;
static u32 cpus_away;
static enum plant plant;
static u32 plant_chances;

/* From any CPU, also in interrupts; the boot CPU prints them in order. */
static struct {
  const struct workload *workload;
  char text[FAILURE_TEXT];
  volatile bool written;
} failures[MAX_FAILURES];
static u32 failure_count, failures_printed;

/* What each CPU is at, and what it was at when the first thing failed. */
static struct workload *volatile at_work[MAX_CPUS], *at_failure[MAX_CPUS];

static u64 random_states[MAX_CPUS];

void failure(const struct workload *workload, const char *pattern, ...) {
  u32 slot = __atomic_fetch_add(&failure_count, 1, __ATOMIC_SEQ_CST);
  if (slot >= MAX_FAILURES) return;
  for (u32 i = 0; slot == 0 && i < cpu_count; i++) at_failure[i] = at_work[i];
  va_list arguments;
  va_start(arguments, pattern);
  format_va(failures[slot].text, FAILURE_TEXT, pattern, arguments);
  va_end(arguments);
  failures[slot].workload = workload;
  __atomic_store_n(&failures[slot].written, true, __ATOMIC_RELEASE);
}

void note_latency(struct workload *workload, u64 since) {
  u64 now = now_ns(), latency = now > since ? now - since : 0; /* clocks of two CPUs may differ a little */
  u64 longest = READ_ONCE(workload->longest);
  while (latency > longest && !__atomic_compare_exchange_n(&workload->longest, &longest, latency, true, __ATOMIC_RELAXED,
                                                           __ATOMIC_RELAXED));
}

static void print_at_failure(void) {
  print(" (CPUs at");
  for (u32 i = 0; i < cpu_count; i++) print(" %s", at_failure[i] == NULL ? "nothing" : at_failure[i]->name);
  print(")");
}

static void print_failures(void) {
  while (failures_printed < MAX_FAILURES && __atomic_load_n(&failures[failures_printed].written, __ATOMIC_ACQUIRE)) {
    print("fail %s %s", failures[failures_printed].workload->name, failures[failures_printed].text);
    if (failures_printed++ == 0) print_at_failure();
    print("\n");
  }
}

/* xorshift64*: G. Marsaglia, Xorshift RNGs (2003); S. Vigna's multiplier. */
u32 random_below(u32 limit) {
  u64 *state = &random_states[this_cpu()->index];
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return (u32)((*state * 0x2545f4914f6cdd1dull) >> 32) % limit;
}

/* Neighbouring seeds must not give neighbouring sequences. */
static void seed_random(u64 seed) {
  for (u32 i = 0; i < MAX_CPUS; i++) {
    random_states[i] = (seed + i + 1) * 0x9e3779b97f4a7c15ull | 1;
  }
}

bool planted(enum plant what) {
  return plant == what && __atomic_add_fetch(&plant_chances, 1, __ATOMIC_RELAXED) == PLANT_AT;
}

static void choose(const struct boot_info *boot) {
  bool all = boot_number(boot, "only", 1) == 1; /* no such word: a list of names is no number */
  for (u32 i = 0; i < ARRAY_SIZE(workloads); i++) {
    if (all || boot_listed(boot, "only", workloads[i]->name)) chosen[chosen_count++] = workloads[i];
  }
}

static void read_options(const struct boot_info *boot) {
  patience = boot_number(boot, "patience", DEFAULT_PATIENCE_MS) * MS;
  round_ns = boot_number(boot, "round", DEFAULT_ROUND_MS) * MS;
  seed_random(boot_number(boot, "seed", 1));
  if (boot_listed(boot, "plant", "lost-event")) plant = PLANT_LOST_EVENT;
  if (boot_listed(boot, "plant", "doubled-event")) plant = PLANT_DOUBLED_EVENT;
  if (boot_listed(boot, "plant", "wrong-byte")) plant = PLANT_WRONG_BYTE;
  choose(boot);
}

static void beat(void) {
  print("beat %lu", now_ns() / MS);
  for (u32 i = 0; i < chosen_count; i++) {
    print(" %s=%lu/%lu/%lu", chosen[i]->name, READ_ONCE(chosen[i]->events), READ_ONCE(chosen[i]->operations),
          READ_ONCE(chosen[i]->longest) / 1000);
  }
  print("\n");
  next_beat = now_ns() + BEAT;
}

static bool failed(void) { return READ_ONCE(failure_count) > 0; }

/* What the boot CPU does beside working. */
static void control(void) {
  u64 target;
  host_hear();
  if (xenstore_target(&target)) print("target %lu\n", target);
  print_failures();
  u64 now = now_ns();
  if (now >= next_beat) beat();
  if (now >= round_end || host_ends() || failed()) stopping = true;
}

bool go_away(void) {
  if (__atomic_add_fetch(&cpus_away, 1, __ATOMIC_SEQ_CST) < cpu_count) return true;
  come_back();
  return false;
}
void come_back(void) { __atomic_fetch_sub(&cpus_away, 1, __ATOMIC_SEQ_CST); }

void stress_work(void *argument UNUSED) {
  u32 cpu = this_cpu()->index;
  /* INIT drops the interrupt of events that wait; those do not raise another. */
  interrupts_off();
  events_upcall();
  interrupts_on();
  u32 next = random_below(chosen_count);
  while (!stopping) {
    bool busy = false;
    for (u32 i = 0; i < chosen_count; i++) {
      at_work[cpu] = chosen[(next + i) % chosen_count];
      busy |= at_work[cpu]->step(cpu);
    }
    at_work[cpu] = NULL;
    next = random_below(chosen_count);
    if (!busy) relax();
    if (cpu == 0) control();
  }
}

static bool all_quiet(void) {
  bool quiet = true;
  for (u32 i = 0; i < chosen_count; i++) quiet &= chosen[i]->quiet();
  return quiet;
}

/* True when every other CPU has come back from its work. */
static bool all_stopped(void) {
  for (u32 i = 1; i < cpu_count; i++) {
    if (__atomic_load_n(&cpus[i].work, __ATOMIC_ACQUIRE) != NULL) return false;
  }
  return true;
}

static void prepare_all(void) {
  u32 kept = 0;
  for (u32 i = 0; i < chosen_count; i++) {
    if (chosen[i]->prepare()) chosen[kept++] = chosen[i];
    else if (!failed()) print("note %s has nothing to work on here\n", chosen[i]->name);
  }
  chosen_count = kept;
}

static bool is_chosen(const struct workload *workload) {
  for (u32 i = 0; i < chosen_count; i++) {
    if (chosen[i] == workload) return true;
  }
  return false;
}

/* False when CPUs are stuck: nothing can be settled then. */
static bool run_round(u32 number) {
  prepare_all();
  if (failed() || chosen_count == 0) return false;
  stopping = false;
  round_end = now_ns() + round_ns;
  for (u32 i = 1; i < cpu_count; i++) cpu_run(&cpus[i], stress_work, NULL);
  stress_work(NULL);
  for (u64 end = now_ns() + patience; !(all_stopped() & all_quiet()) && now_ns() < end;) {
    relax();
    host_hear();
  }
  /* A step may wait for as long as a patience before it gives up. */
  WAIT_FOR(all_stopped(), patience);
  for (u32 i = 1; i < cpu_count; i++) {
    if (cpus[i].work != NULL) failure(chosen[0], "CPU %u does not come back from its work", i);
  }
  bool stuck = !all_stopped();
  ports_must_close = number % CLOSE_EVERY == 1 && is_chosen(&closeall) && !host_ends();
  for (u32 i = 0; i < chosen_count && !stuck; i++) chosen[i]->settle();
  if (ports_must_close && !stuck && !failed()) closeall_now();
  print_failures();
  return !stuck;
}

static void on_exception(const struct interrupt_frame *frame) {
  print("fail guest exception %lu, error 0x%lx, at 0x%lx on CPU %u\n", frame->vector, frame->error, frame->rip,
        this_cpu()->index);
}

static NORETURN void give_up(const char *why) {
  print("fail guest %s\nend failed\n", why);
  finish(1);
}

void guest_main(const struct boot_info *boot) {
  static struct setup setup;
  set_fault_reporter(on_exception);
  setup_guest(boot, &setup);
  read_options(boot);
  if (!setup.xen || setup.shared_info_result != 0) give_up("this machine is not a Xen guest");
  if (!setup.all_cpus_started) give_up("not all CPUs start");
  for (u32 i = 0; i < cpu_count; i++) {
    if (events_use_upcall_vector(&cpus[i]) != 0) give_up("there are no upcall vectors");
  }
  if (boot_flag(boot, "fifo") && fifo_switch() != 0) give_up("there are no FIFO event channels");
  if (!host_listen()) give_up("there is no PV console");
  if (!xenstore_listen()) give_up("there is no xenstore");
  if (chosen_count == 0) give_up("no workload is chosen");
  print("begin cpus=%u channels=%s\n", cpu_count, fifo_active ? "fifo" : "2-level");
  next_beat = now_ns() + BEAT;
  /* Disks that were left are connected once more before the end. */
  for (u32 number = 1; run_round(number) && !failed() && (!host_ends() || ports_must_close);) number++;
  for (u32 i = 0; i < chosen_count && !failed(); i++) {
    if (chosen[i]->finish != NULL) chosen[i]->finish();
  }
  print_failures();
  beat();
  print("end %s\n", failed() ? "failed" : "passed");
  finish(failed() ? 1 : 0);
}
