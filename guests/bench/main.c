/*
 * Benchmarks seen from inside a Xen guest. Each prints one line, `bench <name> <iterations> <TSC cycles>`, for the whole
 * loop; `tsc-hz <n>` tells what a cycle is. The port loops also run on machines without Xen, with `serial` to see them.
 *
 * Command line: names of the benchmarks to run (the usual ones when none is given), `iterations=` of each, `port=` for the port
 * loops (default 0x80 for writes, 0x300 with nothing behind it for reads).
 */
#include "../lib/clock.h"
#include "../lib/console.h"
#include "../lib/events.h"
#include "../lib/setup.h"
#include "../lib/x86.h"

#define DEFAULT_ITERATIONS 20000
#define IPI_TIMEOUT (5 * SECOND)

struct benchmark {
  const char *name;
  /* TSC cycles that `iterations` took; 0 when it cannot run here. */
  u64 (*run)(u64 iterations);
  bool needs_xen;
  /* Runs only when named: very slow on hosts that interpret ring 0. */
  bool on_request;
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

static u64 bench_hypercall(u64 iterations) {
  u64 start = rdtsc();
  for (u64 i = 0; i < iterations; i++) xen_version(XENVER_version, NULL);
  return rdtsc() - start;
}

/* Each of two CPUs has a port; an event on the one is answered by an event on the other. */
static evtchn_port_t ping, pong;

static void answer(evtchn_port_t port UNUSED, void *argument UNUSED) { evtchn_send(pong); }

static bool bind_pair(void) {
  if (cpu_count < 2) return false;
  ping = bind_ipi(cpus[1].xen_id, NULL);
  pong = bind_ipi(cpus[0].xen_id, NULL);
  if (ping == 0 || pong == 0) return false;
  event_listen(ping, answer, NULL);
  event_listen(pong, NULL, NULL);
  return true;
}

static void close_pair(void) {
  event_close(ping);
  event_close(pong);
}

/* Both CPUs halt between events, as an idle kernel does: every event wakes a sleeping CPU. */
static u64 bench_ipi_halted(u64 iterations) {
  if (!bind_pair()) return 0;
  u64 start = rdtsc();
  for (u32 i = 1; i <= iterations; i++) {
    evtchn_send(ping);
    interrupts_off();
    while (event_ports[pong].count < i) {
      interrupts_on_and_halt();
      interrupts_off();
    }
    interrupts_on();
  }
  u64 cycles = rdtsc() - start;
  close_pair();
  return cycles;
}

static volatile bool stop_spinning;

static void spin(void *argument UNUSED) {
  while (!stop_spinning) pause();
}

/* Both CPUs are busy with interrupts open: an event interrupts a running CPU. */
static u64 bench_ipi_running(u64 iterations) {
  if (!bind_pair()) return 0;
  stop_spinning = false;
  cpu_run(&cpus[1], spin, NULL);
  u64 start = rdtsc();
  for (u32 i = 1; i <= iterations; i++) {
    evtchn_send(ping);
    while (event_ports[pong].count < i) pause();
  }
  u64 cycles = rdtsc() - start;
  stop_spinning = true;
  cpu_wait(&cpus[1], IPI_TIMEOUT);
  close_pair();
  return cycles;
}

static const struct benchmark benchmarks[] = {
  { "pio-out", bench_pio_out, false, false },
  { "pio-in-unassigned", bench_pio_in, false, false },
  { "hypercall", bench_hypercall, true, false },
  { "evtchn-ipi", bench_ipi_halted, true, false },
  { "evtchn-ipi-running", bench_ipi_running, true, true },
};

static bool wanted(const struct boot_info *boot, const struct benchmark *benchmark) {
  bool any = false;
  for (size_t i = 0; i < ARRAY_SIZE(benchmarks); i++) any |= boot_flag(boot, benchmarks[i].name);
  return any ? boot_flag(boot, benchmark->name) : !benchmark->on_request;
}

void guest_main(const struct boot_info *boot) {
  static struct setup setup;
  setup_guest(boot, &setup);
  if (setup.xen) {
    for (u32 i = 0; i < cpu_count; i++) events_use_upcall_vector(&cpus[i]);
    print("tsc-hz %lu\n", (1ul << 30) * SECOND / tsc_to_ns(1u << 30));
  }
  u64 iterations = boot_number(boot, "iterations", DEFAULT_ITERATIONS);
  write_port = (u16)boot_number(boot, "port", 0x80);
  read_port = (u16)boot_number(boot, "port", 0x300);
  for (size_t i = 0; i < ARRAY_SIZE(benchmarks); i++) {
    const struct benchmark *benchmark = &benchmarks[i];
    if (!wanted(boot, benchmark)) continue;
    u64 cycles = 0;
    if (setup.xen || !benchmark->needs_xen) {
      benchmark->run(iterations / 100 + 1); /* warm up */
      cycles = benchmark->run(iterations);
    }
    if (cycles > 0) print("bench %s %lu %lu\n", benchmark->name, iterations, cycles);
    else print("skipped %s\n", benchmark->name);
  }
  finish(0);
}
