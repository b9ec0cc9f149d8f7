/*
 * What the host says, and how it is answered. Words come on the console's input, a line each, and are read only when the
 * console's event has come:
 *
 *   #N      the Nth word of this kind; answered by "heard N", or a failure when it is not the next
 *   end     settle everything, say how it went, power off
 *
 * The balloon's target in xenstore is watched (xenstore.h), and answered by "target KIB".
 */
#ifndef STRESS_HOST_H
#define STRESS_HOST_H

#include "../lib/types.h"

/* Listens to the console. False when there is none. */
bool host_listen(void);
/* Takes what the host has said, on the boot CPU. */
void host_hear(void);
/* The host wants the run to end. */
bool host_ends(void);

#endif
