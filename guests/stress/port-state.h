/* What can be known of an event that does not come. */
#ifndef STRESS_PORT_STATE_H
#define STRESS_PORT_STATE_H

#include "../lib/events.h"

struct port_state {
  char text[120];
};

/* Its bits, and what its CPU has been told: for the text of a failure. */
struct port_state port_state(evtchn_port_t port);

#endif
