/*
 * Benchmarks seen from inside a Xen guest. Each prints one line, `bench <name> <iterations> <TSC cycles>`, for the whole
 * loop; `tsc-hz <n>` tells what a cycle is. The port loops also run on machines without Xen, with `serial` to see them.
 *
 * Command line: names of the benchmarks to run (the usual ones when none is given), `iterations=` of a hypercall, of which
 * what takes longer does fewer, `port=` for the port loops (default 0x80 for writes, 0x300 with nothing behind it for reads).
 */
#include "bench.h"

#include "../lib/clock.h"
#include "../lib/console.h"
#include "../lib/events.h"
#include "../lib/setup.h"
#include "../lib/x86.h"

#define DEFAULT_ITERATIONS 20000
#define PATIENCE (20 * SECOND)

struct benchmark {
  const char *name;
  bench_run run;
  bool needs_xen;
  /* Runs only when named. */
  bool on_request;
  /* Takes so many times longer than a hypercall; 0 stands for 1. */
  u32 divisor;
  /* What an iteration counts for on each CPU, all of which take part; 0 where it counts once. */
  u32 per_cpu;
};

static u16 write_port, read_port;

static u64 bench_pio_out(u64 iterations) {
  u64 start = rdtsc();
  for (u64 i = 0; i < iterations; i++) outb(write_port, 0);
  return rdtsc() - start;
}

static u64 bench_pio_in(u64 iterations) {
  u64 start = rdtsc();
  for (u64 i = 0; i < iterations; i++) inb(read_port);
  return rdtsc() - start;
}

static u64 port_iterations;

static void write_ports(void *argument UNUSED) { bench_pio_out(port_iterations); }

/* Each CPU writes `iterations` times, all at once. */
static u64 bench_pio_out_all(u64 iterations) {
  port_iterations = iterations;
  u64 start = rdtsc();
  for (u32 i = 1; i < cpu_count; i++) cpu_run(&cpus[i], write_ports, NULL);
  write_ports(NULL);
  bool ended = true;
  for (u32 i = 1; i < cpu_count; i++) ended &= cpu_wait(&cpus[i], PATIENCE);
  return ended ? rdtsc() - start : 0;
}

static const struct benchmark benchmarks[] = {
  { .name = "pio-out", .run = bench_pio_out },
  { .name = "pio-in-unassigned", .run = bench_pio_in },
  { .name = "pio-out-all", .run = bench_pio_out_all, .on_request = true, .per_cpu = 1 },
  { .name = "hypercall", .run = bench_version, .needs_xen = true },
  { .name = "hypercall-version", .run = bench_version, .needs_xen = true, .on_request = true },
  { .name = "hypercall-extraversion", .run = bench_extraversion, .needs_xen = true, .on_request = true },
  { .name = "hypercall-multicall-16", .run = bench_multicall, .needs_xen = true, .on_request = true, .divisor = 10 },
  { .name = "hypercall-memory-query", .run = bench_memory_query, .needs_xen = true, .on_request = true },
  { .name = "hypercall-grant-query", .run = bench_grant_query, .needs_xen = true, .on_request = true },
  { .name = "hypercall-vcpu-is-up", .run = bench_vcpu_is_up, .needs_xen = true, .on_request = true },
  { .name = "hypercall-evtchn-status", .run = bench_evtchn_status, .needs_xen = true, .on_request = true },
  { .name = "hypercall-evtchn-unmask", .run = bench_evtchn_unmask, .needs_xen = true, .on_request = true },
  { .name = "hypercall-get-param", .run = bench_get_param, .needs_xen = true, .on_request = true },
  { .name = "hypercall-get-time", .run = bench_get_time, .needs_xen = true, .on_request = true },
  { .name = "hypercall-stop-timer", .run = bench_stop_timer, .needs_xen = true, .on_request = true },
  { .name = "hypercall-yield", .run = bench_yield, .needs_xen = true, .on_request = true },
  { .name = "evtchn-send-self", .run = bench_send_self, .needs_xen = true, .on_request = true },
  { .name = "evtchn-send-other", .run = bench_send_other, .needs_xen = true, .on_request = true, .divisor = 20 },
  { .name = "evtchn-ipi", .run = bench_ipi_halted, .needs_xen = true },
  { .name = "evtchn-ipi-running", .run = bench_ipi_running, .needs_xen = true, .on_request = true },
  { .name = "ipi-storm", .run = bench_ipi_storm, .needs_xen = true, .on_request = true, .divisor = 20, .per_cpu = 2 },
  { .name = "poll-wake", .run = bench_poll_wake, .needs_xen = true, .on_request = true, .divisor = 20 },
  { .name = "timer-latency", .run = bench_timer_latency, .needs_xen = true, .on_request = true, .divisor = 50 },
};

static bool wanted(const struct boot_info *boot, const struct benchmark *benchmark) {
  bool any = false;
  for (size_t i = 0; i < ARRAY_SIZE(benchmarks); i++) any |= boot_flag(boot, benchmarks[i].name);
  return any ? boot_flag(boot, benchmark->name) : !benchmark->on_request;
}

static void run(const struct benchmark *benchmark, u64 iterations, bool xen) {
  u64 cycles = 0;
  u64 count = iterations / (benchmark->divisor == 0 ? 1 : benchmark->divisor) + 1;
  if (xen || !benchmark->needs_xen) {
    benchmark->run(count / 100 + 1); /* warm up */
    cycles = benchmark->run(count);
  }
  if (benchmark->per_cpu > 0) count *= benchmark->per_cpu * cpu_count;
  if (cycles > 0) print("bench %s %lu %lu\n", benchmark->name, count, cycles);
  else print("skipped %s\n", benchmark->name);
}

static void started(struct cpu *cpu UNUSED) {}

void guest_main(const struct boot_info *boot) {
  static struct setup setup;
  setup_guest(boot, &setup);
  if (setup.xen) {
    for (u32 i = 0; i < cpu_count; i++) events_use_upcall_vector(&cpus[i]);
    print("tsc-hz %lu\n", (1ul << 30) * SECOND / tsc_to_ns(1u << 30));
  } else {
    interrupts_on();
    smp_start(&setup.machine, started, PATIENCE);
  }
  u64 iterations = boot_number(boot, "iterations", DEFAULT_ITERATIONS);
  write_port = (u16)boot_number(boot, "port", 0x80);
  read_port = (u16)boot_number(boot, "port", 0x300);
  for (size_t i = 0; i < ARRAY_SIZE(benchmarks); i++) {
    if (wanted(boot, &benchmarks[i])) run(&benchmarks[i], iterations, setup.xen);
  }
  finish(0);
}
