/*
 * The stress guest: workloads, each in a file of its own, run by all CPUs at once for a round, then are made to account for
 * everything. What a workload started must come to its end exactly once; a round that does not add up is a failure.
 *
 * A round: prepare() of each on the boot CPU, alone; step() on every CPU, in any order, until the round is over; the boot
 * CPU waits until all are quiet(); settle() of each on the boot CPU, alone, gives everything back.
 */
#ifndef STRESS_H
#define STRESS_H

#include "../lib/setup.h"

struct workload {
  const char *name;
  /* False when this machine has nothing for it to work on; it is left out then. */
  bool (*prepare)(void);
  /* A small piece of work on CPU `cpu`, which runs this; false when there was nothing to do. */
  bool (*step)(u32 cpu);
  /* True when nothing that was started is under way. */
  bool (*quiet)(void);
  void (*settle)(void);
  /* On the boot CPU, alone, before the machine is switched off. May be NULL. */
  void (*finish)(void);
  /* Events taken and found right, and other things done and found right; of all rounds. */
  u64 events, operations;
  /* Longest time from an event's cause to its being taken, ns. */
  u64 longest;
};

extern struct workload storm, coalesce, mask, move, bind, timer, poll, xenstore, disk, ide, grant, sipi, power, closeall;

static inline void count_event(struct workload *workload) {
  __atomic_fetch_add(&workload->events, 1, __ATOMIC_RELAXED);
}
static inline void count_operation(struct workload *workload) {
  __atomic_fetch_add(&workload->operations, 1, __ATOMIC_RELAXED);
}

/* An event was caused at `since` and is taken now; see `longest`. */
void note_latency(struct workload *workload, u64 since);

/* Notes what went wrong; may be called from interrupts. The boot CPU prints it. */
void failure(const struct workload *workload, const char *pattern, ...) __attribute__((format(printf, 2, 3)));

/* What every CPU does for a round; for a CPU that was started anew in the middle of one. */
void stress_work(void *argument);

/*
 * For a CPU that is about to wait for another's help, whatever that is doing: false when nobody would be left to give it,
 * and it must not. It says when it is back, or another does.
 */
bool go_away(void);
void come_back(void);

/* EVTCHNOP_reset follows this round: no port may stay open over its end. */
extern bool ports_must_close;

/* Pseudo-random, by the seed and a state of this CPU's own: 0 to `limit` - 1. */
u32 random_below(u32 limit);

/* Nanoseconds after which something is taken for lost. */
extern u64 patience;

/* Faults that the command line has us make, once each, so that one can see that they are found. */
enum plant { PLANT_NOTHING, PLANT_LOST_EVENT, PLANT_DOUBLED_EVENT, PLANT_WRONG_BYTE };
/* True when it is time to make this fault. */
bool planted(enum plant what);

/* A lock that nobody waits for: whoever does not get it does something else. */
typedef u8 try_lock;
static inline bool try_acquire(try_lock *lock) { return __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) == 0; }
static inline void release(try_lock *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

/* Held by a CPU that starts or stops another. */
extern try_lock starting_cpus;

#endif
