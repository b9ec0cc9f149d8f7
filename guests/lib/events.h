/* Event channels: shared_info, the upcall, and what happens on each port. */
#ifndef GUEST_EVENTS_H
#define GUEST_EVENTS_H

#include "hypercall.h"
#include "smp.h"

struct event_port {
  /* Called with interrupts off, on the CPU that the port is bound to. May be NULL. */
  void (*handler)(evtchn_port_t port, void *argument);
  void *argument;
  /* Events taken. */
  volatile u32 count;
  /* CPU index that took the last one. */
  volatile u32 cpu;
  /* CPU index that the port is bound to. Ports of several CPUs share words of the bitmap: each CPU takes its own. */
  volatile u32 home;
};
/* Ports that this library serves: more than bitmaps have, fewer than FIFO channels can be. */
#define EVENT_PORTS 8192
extern struct event_port event_ports[EVENT_PORTS];
extern struct shared_info *shared_info;

/* Upcalls taken through each way, all CPUs together. */
extern volatile u32 upcalls_by_vector[256];

/* Maps shared_info at `page` (identity-mapped), masks every port and gives the boot CPU its vcpu_info in it. */
long events_map_shared_info(struct shared_info *page);
/* Installs the handlers of the three upcall vectors. */
void events_init(void);
/* Moves this CPU's vcpu_info into a place of its own. 0, or Xen's error. */
long events_init_cpu(struct cpu *cpu);
/* Asks for VECTOR_UPCALL on `cpu`, which may be another; from then on no other kind of upcall reaches it. */
long events_use_upcall_vector(struct cpu *cpu);

/* Takes everything that is pending for this CPU. */
void events_upcall(void);
/* Counts an event of `port` on this CPU and calls its handler. */
void event_take(evtchn_port_t port);

/* Calls `handler` (or only counts, when NULL) for `port`, and unmasks it. */
void event_listen(evtchn_port_t port, void (*handler)(evtchn_port_t port, void *argument), void *argument);
/* EVTCHNOP_bind_vcpu. */
long event_move(evtchn_port_t port, u32 cpu);
/* Masks and closes the port, and forgets its handler and count. On the CPU that takes its events, while those may come. */
long event_close(evtchn_port_t port);

bool event_pending(evtchn_port_t port);
bool event_masked(evtchn_port_t port);
void event_mask(evtchn_port_t port);
/* True when it was pending: of several CPUs that clear a port, one takes the event. */
bool event_clear(evtchn_port_t port);

/* 0 on failure, with Xen's answer in *result (which may be NULL). */
evtchn_port_t bind_ipi(u32 vcpu, long *result);
evtchn_port_t bind_virq(u32 virq, u32 vcpu, long *result);

#endif
