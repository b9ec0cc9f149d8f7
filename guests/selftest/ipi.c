/* Event-channel IPIs between vCPUs: every one arrives, once, on the vCPU that its port is bound to. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/x86.h"

#define PATIENCE (20 * SECOND)
#define ROUNDS 20
#define STORM 100

static void answer(evtchn_port_t port UNUSED, void *argument) {
  evtchn_send((evtchn_port_t)(uintptr_t)argument);
}

/* A CPU's part: ping a port bound to another, whose handler answers on a port bound to this one. */
struct volley {
  u32 from, to, rounds;
  evtchn_port_t ping, pong;
  bool lost;
};

static void play(void *argument) {
  struct volley *volley = argument;
  for (u32 i = 1; i <= volley->rounds && !volley->lost; i++) {
    evtchn_send(volley->ping);
    volley->lost = !WAIT_FOR(event_ports[volley->pong].count >= i, PATIENCE);
  }
}

static bool prepare(struct volley *volley) {
  volley->lost = false;
  volley->ping = bind_ipi(cpus[volley->to].xen_id, NULL);
  volley->pong = bind_ipi(cpus[volley->from].xen_id, NULL);
  if (volley->ping == 0 || volley->pong == 0) return false;
  event_listen(volley->pong, NULL, NULL);
  event_listen(volley->ping, answer, (void *)(uintptr_t)volley->pong);
  return true;
}

static void judge(const struct volley *volley) {
  u32 pings = event_ports[volley->ping].count;
  u32 pongs = event_ports[volley->pong].count;
  EXPECT(!volley->lost && pings == volley->rounds && pongs == volley->rounds,
         "CPU %u to %u: %u there and %u back of %u", volley->from, volley->to, pings, pongs, volley->rounds);
  EXPECT(event_ports[volley->ping].cpu == volley->to, "one came to CPU %u, not %u", event_ports[volley->ping].cpu,
         volley->to);
  event_close(volley->ping);
  event_close(volley->pong);
}

/* Runs one CPU's part there, or here. */
static void start(struct volley *volley) {
  if (volley->from == 0) play(volley);
  else cpu_run(&cpus[volley->from], play, volley);
}

CHECK(pairs, "ipi", "round trips between all pairs of vCPUs lose and double nothing") {
  for (u32 from = 0; from < cpu_count; from++) {
    for (u32 to = 0; to < cpu_count; to++) {
      struct volley volley = { .from = from, .to = to, .rounds = ROUNDS };
      REQUIRE(prepare(&volley), "no ports for %u to %u", from, to);
      start(&volley);
      REQUIRE(from == 0 || cpu_wait(&cpus[from], ROUNDS * PATIENCE), "CPU %u is stuck", from);
      judge(&volley);
    }
  }
}

CHECK(all_at_once, "ipi", "all vCPUs at once, each to its neighbour, lose and double nothing") {
  if (cpu_count < 2) return skip("there is one CPU");
  static struct volley volleys[MAX_CPUS];
  for (u32 i = 0; i < cpu_count; i++) {
    volleys[i] = (struct volley){ .from = i, .to = (i + 1) % cpu_count, .rounds = STORM };
    REQUIRE(prepare(&volleys[i]), "no ports for CPU %u", i);
  }
  for (u32 i = cpu_count; i-- > 0;) start(&volleys[i]); /* this CPU last: it plays at once */
  for (u32 i = 1; i < cpu_count; i++) REQUIRE(cpu_wait(&cpus[i], STORM * PATIENCE), "CPU %u is stuck", i);
  for (u32 i = 0; i < cpu_count; i++) judge(&volleys[i]);
}

CHECK(from_halt, "ipi", "an event wakes a vCPU that has halted") {
  u32 last = cpu_count - 1;
  evtchn_port_t port = bind_ipi(cpus[last].xen_id, NULL);
  REQUIRE(port != 0, "no port");
  event_listen(port, NULL, NULL);
  if (last == 0) {
    interrupts_off();
    evtchn_send(port); /* arrives with the halt at the latest */
    interrupts_on_and_halt();
  } else {
    WAIT_FOR(false, 2 * MS); /* the other is idle, so halted, by now */
    evtchn_send(port);
  }
  EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "it does not wake up");
  event_close(port);
}

CHECK(many_ports, "ipi", "events on 256 ports, spread over the vCPUs, arrive") {
  static evtchn_port_t ports[256];
  u32 count = 0;
  for (; count < ARRAY_SIZE(ports); count++) {
    ports[count] = bind_ipi(cpus[count % cpu_count].xen_id, NULL);
    REQUIRE(ports[count] != 0, "only %u ports", count);
    event_listen(ports[count], NULL, NULL);
  }
  for (u32 i = 0; i < count; i++) evtchn_send(ports[i]);
  for (u32 i = 0; i < count; i++) {
    EXPECT(WAIT_FOR(event_ports[ports[i]].count == 1, PATIENCE), "port %u has %u events", ports[i],
           event_ports[ports[i]].count);
    EXPECT(event_ports[ports[i]].cpu == i % cpu_count, "port %u comes to CPU %u", ports[i], event_ports[ports[i]].cpu);
    event_close(ports[i]);
  }
}
