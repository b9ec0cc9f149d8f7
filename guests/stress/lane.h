/*
 * A lane: an event channel with at most one event under way, so that each must be taken exactly once. Sequence numbers on
 * both sides tell a lost event from a doubled one.
 */
#ifndef STRESS_LANE_H
#define STRESS_LANE_H

#include "../lib/events.h"
#include "stress.h"

#define ANY_CPU 0xffffffffu

struct lane {
  struct workload *owner;
  /* The port that is sent on, and the one that the event comes on: the same for an IPI. */
  evtchn_port_t out, in;
  /* CPU that must take the events. */
  u32 to;
  /* Events sent, by the sender; events taken, by the taker. */
  volatile u32 sent, taken;
  /* When the last one was sent. */
  volatile u64 sent_at;
  /* One was lost or doubled: nothing more is sent, nothing more is said. */
  volatile bool broken;
};

/* Binds the lane to CPU `to` as an IPI. False, and a failure, when Xen refuses. */
bool lane_open(struct lane *lane, struct workload *owner, u32 to);
/* Two ports of the guest's own bound to each other; what is sent on one comes on the other, on whatever CPU it is bound to. */
bool lane_open_pair(struct lane *lane, struct workload *owner);
/* Sends the next event unless one is under way; then it only looks whether that has been under way for too long. */
bool lane_send(struct lane *lane);
bool lanes_idle(const struct lane *lanes, u32 count);
/* Says so when an event was lost, and closes the ports. */
void lanes_close(struct lane *lanes, u32 count);

#endif
