/* FIFO event channels in place of the two-level ones: public/event_channel.h, "FIFO ABI". */
#ifndef GUEST_FIFO_H
#define GUEST_FIFO_H

#include "events.h"

#define FIFO_PENDING (1u << 31)
#define FIFO_MASKED (1u << 30)
#define FIFO_LINKED (1u << 29)
#define FIFO_LINK 0x1ffffu
#define FIFO_QUEUES 16

/* True from fifo_switch to fifo_leave. */
extern bool fifo_active;

/* Gives every CPU a control block, and words to the first EVENT_PORTS ports, all masked. 0, or Xen's error. */
long fifo_switch(void);
/* EVTCHNOP_reset: closes all ports but those of domain 0's services, and goes back to bitmaps. */
long fifo_leave(void);
long fifo_set_priority(evtchn_port_t port, u32 priority);
volatile u32 *fifo_word(evtchn_port_t port);
/* The queues of CPU index `cpu` that Xen has put events on and the CPU has not taken note of, a bit each. */
u32 fifo_ready(u32 cpu);

/* Takes everything that is queued for this CPU. */
void fifo_upcall(void);

#endif
