/*
 * INIT and SIPI storms: a CPU goes down in the middle of everything, with interrupts off, so that it breaks nothing; another
 * throws INITs at it and brings it up again, by SIPIs or by VCPUOP_initialise. Events that came meanwhile wait for it.
 */
#include "stress.h"

#include "../lib/apic.h"
#include "../lib/boot.h"
#include "../lib/clock.h"
#include "../lib/x86.h"

/* Asked to go down, and gone: then nothing but INIT reaches it. */
enum { UP, ASKED, DOWN };
static u32 states[MAX_CPUS];
/* One at a time: they share a stack pointer on their way up. */
try_lock starting_cpus;
static u64 next_at;
/* CPU that was asked to go down, 0 for none. */
static u32 asked;

/* Restarting a CPU takes a while, in which nobody else gets anything done by it. */
#define PAUSE (100 * MS)
#define MAX_INITS 4

static bool prepare(void) { return cpu_count > 1; }

static bool change(u32 cpu, u32 expected, u32 state) {
  return __atomic_compare_exchange_n(&states[cpu], &expected, state, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* INITs, one after the other, to a CPU that is down, or waits for a SIPI already: [SDM] volume 3, 8.4.4. */
static void throw_at(u32 target) {
  for (u32 i = random_below(MAX_INITS); i > 0; i--) {
    apic_send_init(cpus[target].apic_id);
    relax();
  }
}

static bool start(u32 target) {
  if (random_below(2) == 0) {
    bool up = smp_start_one(target, patience);
    if (!up) failure(&sipi, "CPU %u does not come up again", target);
    return up;
  }
  u32 mode = random_below(2) == 0 ? VCPU_HVM_MODE_64B : VCPU_HVM_MODE_32B;
  long result = smp_initialise_one(target, mode, patience);
  if (result != 0) failure(&sipi, "VCPUOP_initialise and _up of CPU %u, mode %u, give %ld", target, mode, result);
  return result == 0;
}

static void restart(u32 target) {
  throw_at(target);
  __atomic_store_n(&states[target], UP, __ATOMIC_SEQ_CST);
  if (!start(target)) return;
  come_back();
  cpu_run(&cpus[target], stress_work, NULL);
  count_operation(&sipi);
}

/* Nobody waits for a CPU that was asked: it may itself be waiting for what the others do. The lock is held. */
static void go_on(u32 cpu) {
  if (asked == 0) {
    u32 target = 1 + random_below(cpu_count - 1); /* INIT would reset the machine by the boot CPU */
    if (target != cpu && change(target, UP, ASKED)) asked = target;
  } else if (asked != cpu && __atomic_load_n(&states[asked], __ATOMIC_SEQ_CST) == DOWN) {
    restart(asked);
    asked = 0;
    next_at = now_ns() + random_below(2 * PAUSE);
  }
}

static void go_down(u32 cpu) {
  if (!go_away()) return;
  if (change(cpu, ASKED, DOWN)) halt_forever();
  come_back();
}

static bool step(u32 cpu) {
  if (READ_ONCE(states[cpu]) == ASKED) go_down(cpu);
  if (now_ns() < next_at || !try_acquire(&starting_cpus)) return false;
  go_on(cpu);
  release(&starting_cpus);
  return true;
}

/* One that was asked is let off, or brought up again if it has gone. */
static bool quiet(void) {
  if (!try_acquire(&starting_cpus)) return false;
  if (asked != 0 && !change(asked, ASKED, UP)) restart(asked);
  asked = 0;
  release(&starting_cpus);
  return true;
}

static void settle(void) {}

struct workload sipi = { "sipi", prepare, step, quiet, settle, NULL, 0, 0, 0 };
