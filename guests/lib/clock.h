/* Xen system time, in nanoseconds, and waiting by it. */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H

#include "smp.h"

#define MS 1000000ul
#define SECOND 1000000000ul

/* Time by one vcpu_time_info, for a TSC read on the same CPU. */
u64 pvclock_ns(const struct vcpu_time_info *time);
/* Time by this CPU's vcpu_info; by the TSC, taken as 1 GHz, while there is none. */
u64 now_ns(void);
/* Nanoseconds that `cycles` of the TSC last, by the same source. */
u64 tsc_to_ns(u64 cycles);

/* True as soon as `condition` holds, false after `timeout_ns`. */
#define WAIT_FOR(condition, timeout_ns) \
  ({ \
    u64 wait_end = now_ns() + (timeout_ns); \
    bool wait_met; \
    while (!(wait_met = (condition)) && now_ns() < wait_end) relax(); \
    wait_met; \
  })

#endif
