/* EVTCHNOP_reset: nothing may have a port open but the console and xenstore, and no CPU may be at work. */
#ifndef STRESS_CLOSEALL_H
#define STRESS_CLOSEALL_H

void closeall_now(void);

#endif
