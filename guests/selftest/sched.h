/* What checks of other files expect of sched_op. */
#ifndef SELFTEST_SCHED_H
#define SELFTEST_SCHED_H

/* Polls a masked port until another CPU sends to it. */
void expect_poll_wakes(void);

#endif
