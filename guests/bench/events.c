/* Event channels and timers: how long it takes until the other end knows. */
#include "bench.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/x86.h"

#define PATIENCE (20 * SECOND)
/* How far ahead a timer is set: long enough for a CPU to halt. */
#define TIMER_AHEAD_NS (500 * 1000ul)

/* A port on another CPU, or this one, whose event is answered by an event on a port of `from`. */
struct pair {
  u32 from;
  evtchn_port_t ping, pong;
};

static void answer(evtchn_port_t port UNUSED, void *argument) { evtchn_send((evtchn_port_t)(uintptr_t)argument); }

static bool bind_pair(struct pair *pair, u32 from, u32 to) {
  if (from >= cpu_count || to >= cpu_count) return false;
  pair->from = from;
  pair->ping = bind_ipi(cpus[to].xen_id, NULL);
  pair->pong = bind_ipi(cpus[from].xen_id, NULL);
  if (pair->ping == 0 || pair->pong == 0) return false;
  event_listen(pair->ping, answer, (void *)(uintptr_t)pair->pong);
  event_listen(pair->pong, NULL, NULL);
  return true;
}

static void close_pair(const struct pair *pair) {
  event_close(pair->ping);
  event_close(pair->pong);
}

/* Halts until `port` has had `count` events: an event that comes before the halt ends it. */
static void halt_until(evtchn_port_t port, u32 count) {
  interrupts_off();
  while (event_ports[port].count < count) {
    interrupts_on_and_halt();
    interrupts_off();
  }
  interrupts_on();
}

/* Cycles that so many sends take, each until it has come. 0 when there is no such port, which is closed in the end. */
static u64 time_sends(evtchn_port_t port, u64 iterations) {
  if (port == 0) return 0;
  event_listen(port, NULL, NULL);
  u64 start = rdtsc();
  for (u32 i = 1; i <= iterations; i++) {
    evtchn_send(port);
    while (event_ports[port].count < i) pause();
  }
  u64 cycles = rdtsc() - start;
  event_close(port);
  return cycles;
}

/* The upcall comes with the hypercall's return, or soon after. */
u64 bench_send_self(u64 iterations) {
  return time_sends(bind_ipi(this_cpu()->xen_id, NULL), iterations);
}

/* To a CPU that has halted, until its handler has counted: one way. */
u64 bench_send_other(u64 iterations) {
  return time_sends(cpu_count < 2 ? 0 : bind_ipi(cpus[1].xen_id, NULL), iterations);
}

static void volley(const struct pair *pair, u64 iterations) {
  for (u32 i = 1; i <= iterations; i++) {
    evtchn_send(pair->ping);
    halt_until(pair->pong, i);
  }
}

/* Both CPUs halt between events, as an idle kernel does: every event wakes a sleeping CPU. */
u64 bench_ipi_halted(u64 iterations) {
  struct pair pair;
  if (!bind_pair(&pair, 0, 1)) return 0;
  u64 start = rdtsc();
  volley(&pair, iterations);
  u64 cycles = rdtsc() - start;
  close_pair(&pair);
  return cycles;
}

static volatile bool stop_spinning;

static void spin(void *argument UNUSED) {
  while (!stop_spinning) pause();
}

/* Both CPUs are busy with interrupts open: an event interrupts a running CPU. */
u64 bench_ipi_running(u64 iterations) {
  struct pair pair;
  if (!bind_pair(&pair, 0, 1)) return 0;
  stop_spinning = false;
  cpu_run(&cpus[1], spin, NULL);
  u64 start = rdtsc();
  for (u32 i = 1; i <= iterations; i++) {
    evtchn_send(pair.ping);
    while (event_ports[pair.pong].count < i) pause();
  }
  u64 cycles = rdtsc() - start;
  stop_spinning = true;
  cpu_wait(&cpus[1], PATIENCE);
  close_pair(&pair);
  return cycles;
}

static u64 storm_iterations;

static void storm(void *argument) { volley(argument, storm_iterations); }

/* Each CPU with its neighbour, all at once: an iteration is two IPIs of each. */
u64 bench_ipi_storm(u64 iterations) {
  static struct pair pairs[MAX_CPUS];
  storm_iterations = iterations;
  for (u32 i = 0; i < cpu_count; i++) {
    if (!bind_pair(&pairs[i], i, (i + 1) % cpu_count)) return 0;
  }
  u64 start = rdtsc();
  for (u32 i = 1; i < cpu_count; i++) cpu_run(&cpus[i], storm, &pairs[i]);
  storm(&pairs[0]);
  bool ended = true;
  for (u32 i = 1; i < cpu_count; i++) ended &= cpu_wait(&cpus[i], PATIENCE);
  u64 cycles = rdtsc() - start;
  for (u32 i = 0; i < cpu_count; i++) close_pair(&pairs[i]);
  return ended ? cycles : 0;
}

/* Sleeps in SCHEDOP_poll until `port`, which stays masked, is pending; takes the event. */
static void poll_for(evtchn_port_t port) {
  struct sched_poll request = { .ports = &port, .nr_ports = 1 };
  while (!event_pending(port)) sched_op(SCHEDOP_poll, &request);
  event_clear(port);
}

struct pollers {
  struct pair pair;
  u64 iterations;
};

static void answer_polls(void *argument) {
  const struct pollers *pollers = argument;
  for (u64 i = 0; i < pollers->iterations; i++) {
    poll_for(pollers->pair.ping);
    evtchn_send(pollers->pair.pong);
  }
}

/* There and back between two CPUs that sleep in polls. */
u64 bench_poll_wake(u64 iterations) {
  struct pollers pollers = { .iterations = iterations };
  if (!bind_pair(&pollers.pair, 0, 1)) return 0;
  event_mask(pollers.pair.ping);
  event_mask(pollers.pair.pong);
  cpu_run(&cpus[1], answer_polls, &pollers);
  u64 start = rdtsc();
  for (u64 i = 0; i < iterations; i++) {
    evtchn_send(pollers.pair.ping);
    poll_for(pollers.pair.pong);
  }
  u64 cycles = rdtsc() - start;
  cpu_wait(&cpus[1], PATIENCE);
  close_pair(&pollers.pair);
  return cycles;
}

static volatile u64 fired_at;

static void fired(evtchn_port_t port UNUSED, void *argument UNUSED) { fired_at = rdtsc(); }

/* From the time that a timer was set to, to its handler on a CPU that had halted. */
u64 bench_timer_latency(u64 iterations) {
  evtchn_port_t port = bind_virq(VIRQ_TIMER, this_cpu()->xen_id, NULL);
  if (port == 0) return 0;
  event_listen(port, fired, NULL);
  u64 late = 0;
  u64 ahead = (u64)((unsigned __int128)TIMER_AHEAD_NS * (1ull << 30) / tsc_to_ns(1u << 30));
  for (u32 i = 1; i <= iterations; i++) {
    u64 start = rdtsc();
    set_timer_op(now_ns() + TIMER_AHEAD_NS);
    halt_until(port, i);
    if (fired_at > start + ahead) late += fired_at - start - ahead;
  }
  event_close(port);
  return late;
}
