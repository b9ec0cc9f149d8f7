/* What the checks of the 32-bit guest share. One processor, no interrupts: events are looked for in the bitmaps. */
#ifndef COMPAT_H
#define COMPAT_H

#include "../lib/hypercall.h"
#include "../lib/tap.h"

extern struct shared_info *shared_info;

/* [XEN] wherever the guest's bitmaps are while Xen takes it for one of 64 bits. */
#define WALLCLOCK_64 0xc00
#define PENDING_64 0x800

/* Xen's time in milliseconds, by HVMOP_get_time. */
u32 now_ms(void);
/* True as soon as `condition` holds, false after `timeout_ms`. */
#define WAIT_FOR(condition, timeout_ms) \
  ({ \
    u32 wait_start = now_ms(); \
    bool wait_met; \
    while (!(wait_met = (condition)) && now_ms() - wait_start < (timeout_ms)) sched_op(SCHEDOP_yield, NULL); \
    wait_met; \
  })

/* Nothing is there: between RAM and the chips. */
#define NOWHERE pointer_to(0xfe000000u)
/* The last word below 4 GiB: what is longer than it would go round to address 0. */
#define LAST_WORD pointer_to(0xfffffffcu)
#define FILLER 0xaa

/* Bit `port` in a bitmap of shared_info, as a 32-bit guest sees it. */
bool event_bit(volatile xen_ulong *words, evtchn_port_t port);
void event_set_bit(volatile xen_ulong *words, evtchn_port_t port, bool on);
/* Binds VIRQ_TIMER, once. */
evtchn_port_t timer_port(void);

/* Runs `work` in 64-bit mode: its first 64-bit instruction. It ends by a near return (long-mode.S). */
void in_long_mode(const void *work);
extern const u8 write_hypercall_msr_64[], ask_version_64[];
extern u32 long_mode_argument, long_mode_result;

#endif
