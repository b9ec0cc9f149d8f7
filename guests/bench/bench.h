/* What a benchmark of main.c is. */
#ifndef BENCH_H
#define BENCH_H

#include "../lib/types.h"

/* TSC cycles that `iterations` took, or were measured in them; 0 when it cannot run here. */
typedef u64 (*bench_run)(u64 iterations);

u64 bench_version(u64 iterations);
u64 bench_extraversion(u64 iterations);
u64 bench_multicall(u64 iterations);
u64 bench_memory_query(u64 iterations);
u64 bench_grant_query(u64 iterations);
u64 bench_vcpu_is_up(u64 iterations);
u64 bench_evtchn_status(u64 iterations);
u64 bench_evtchn_unmask(u64 iterations);
u64 bench_get_param(u64 iterations);
u64 bench_get_time(u64 iterations);
u64 bench_stop_timer(u64 iterations);
u64 bench_yield(u64 iterations);

u64 bench_send_self(u64 iterations);
u64 bench_send_other(u64 iterations);
u64 bench_ipi_halted(u64 iterations);
u64 bench_ipi_running(u64 iterations);
u64 bench_ipi_storm(u64 iterations);
u64 bench_poll_wake(u64 iterations);
u64 bench_timer_latency(u64 iterations);

/* Hypercalls in one multicall. */
#define MULTICALL_ENTRIES 16

#endif
