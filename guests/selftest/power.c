/* Starting and stopping vCPUs by vcpu_op, beside INIT and SIPI: [VCPU] public/vcpu.h, [HVMVCPU] public/hvm/hvm_vcpu.h. */
#include "check.h"

#include "../lib/apic.h"
#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/x86.h"

#define PATIENCE (20 * SECOND)
/* Long enough for a vCPU that runs to be seen running. */
#define A_WHILE (20 * MS)

static bool alone(void) {
  if (cpu_count > 1) return false;
  skip("there is one CPU");
  return true;
}

static long is_up(u32 index) { return vcpu_op(VCPUOP_is_up, cpus[index].xen_id, NULL); }
static long bring_up(u32 index) { return vcpu_op(VCPUOP_up, cpus[index].xen_id, NULL); }
static long take_down(u32 index) { return vcpu_op(VCPUOP_down, cpus[index].xen_id, NULL); }

static volatile u64 beats;
static volatile bool beat;

static void count_beats(void *argument UNUSED) {
  while (beat) beats++;
}

static bool beats_on(void) {
  u64 before = beats;
  return WAIT_FOR(beats != before, PATIENCE);
}

static void start_beats(u32 index) {
  beat = true;
  cpu_run(&cpus[index], count_beats, NULL);
}

CHECK(down_stops, "power", "a vCPU that is taken down stops where it is, and goes on there when it is up") {
  if (alone()) return;
  u32 last = cpu_count - 1;
  start_beats(last);
  REQUIRE(beats_on(), "CPU %u does not work", last);
  for (u32 round = 0; round < 3; round++) {
    REQUIRE_EQ(take_down(last), 0);
    EXPECT_EQ(is_up(last), 0);
    EXPECT_EQ(take_down(last), 0); /* it is down */
    u64 before = beats;
    WAIT_FOR(false, A_WHILE);
    EXPECT(beats == before, "it goes on in round %u", round);
    REQUIRE_EQ(bring_up(last), 0);
    EXPECT_EQ(is_up(last), 1);
    EXPECT_EQ(bring_up(last), 0); /* it is up */
    REQUIRE(beats_on(), "it is lost in round %u", round);
  }
  beat = false;
  EXPECT(cpu_wait(&cpus[last], PATIENCE), "CPU %u does not end its work", last);
}

CHECK(down_sleeps, "power", "events do not wake a vCPU that is down, and arrive when it is up") {
  if (alone()) return;
  evtchn_port_t port = bind_ipi(cpus[1].xen_id, NULL);
  REQUIRE(port != 0, "no port");
  event_listen(port, NULL, NULL);
  start_beats(1);
  REQUIRE(beats_on(), "CPU 1 does not work");
  REQUIRE_EQ(take_down(1), 0);
  evtchn_send(port);
  WAIT_FOR(false, A_WHILE);
  EXPECT_EQ(event_ports[port].count, 0);
  EXPECT_EQ(is_up(1), 0);
  REQUIRE_EQ(bring_up(1), 0);
  EXPECT(WAIT_FOR(event_ports[port].count == 1, PATIENCE), "the event is lost");
  beat = false;
  EXPECT(cpu_wait(&cpus[1], PATIENCE), "CPU 1 does not end its work");
  event_close(port);
}

CHECK(down_halted, "power", "a halted vCPU that was down is still halted when it is up, and wakes as ever") {
  if (alone()) return;
  u32 id = ~0u;
  WAIT_FOR(false, A_WHILE); /* it is idle by then */
  REQUIRE_EQ(take_down(1), 0);
  beat = false;
  cpu_run(&cpus[1], count_beats, &id); /* its wake-up comes while it is down */
  EXPECT(!cpu_wait(&cpus[1], A_WHILE), "it works while it is down");
  REQUIRE_EQ(bring_up(1), 0);
  EXPECT(cpu_wait(&cpus[1], PATIENCE), "it does not wake up");
  REQUIRE_EQ(take_down(1), 0);
  REQUIRE_EQ(bring_up(1), 0);
  cpu_run(&cpus[1], count_beats, &id);
  EXPECT(cpu_wait(&cpus[1], PATIENCE), "it does not wake up when it is up again");
}

static volatile long own_result;
static volatile u32 own_returns;

static void take_self_down(void *argument UNUSED) {
  own_result = vcpu_op(VCPUOP_down, this_cpu()->xen_id, NULL);
  own_returns++;
}

CHECK(down_self, "power", "a vCPU that takes itself down comes back from the call when it is up") {
  if (alone()) return;
  own_result = 99;
  own_returns = 0;
  cpu_run(&cpus[1], take_self_down, NULL);
  REQUIRE(WAIT_FOR(is_up(1) == 0, PATIENCE), "it stays up");
  WAIT_FOR(false, A_WHILE);
  EXPECT_EQ(own_returns, 0);
  REQUIRE_EQ(bring_up(1), 0);
  REQUIRE(cpu_wait(&cpus[1], PATIENCE), "it does not come back");
  EXPECT_EQ(own_returns, 1);
  EXPECT_EQ(own_result, 0);
}

CHECK(down_init, "power", "INIT and SIPI start a vCPU that is down anew") {
  if (alone()) return;
  u32 starts = cpus[1].starts;
  REQUIRE_EQ(take_down(1), 0);
  REQUIRE(smp_start_one(1, PATIENCE), "CPU 1 does not come up");
  EXPECT_EQ(cpus[1].starts, starts + 1);
  EXPECT_EQ(is_up(1), 1);
}

CHECK(initialise_refused, "power", "a vCPU with registers is not initialised again, one without does not come up") {
  if (alone()) return;
  struct vcpu_hvm_context context = smp_context(VCPU_HVM_MODE_64B);
  EXPECT_EQ(vcpu_op(VCPUOP_initialise, cpus[1].xen_id, &context), -EEXIST);
  REQUIRE_EQ(take_down(1), 0);
  EXPECT_EQ(vcpu_op(VCPUOP_initialise, cpus[1].xen_id, &context), -EEXIST);
  REQUIRE(smp_stop_one(1), "INIT does not stop it");
  EXPECT_EQ(bring_up(1), -EINVAL);
  EXPECT_EQ(vcpu_op(VCPUOP_initialise, cpus[1].xen_id, NON_CANONICAL), -EFAULT);
  context.cpu_regs.x86_64.efer = 0;
  EXPECT_EQ(vcpu_op(VCPUOP_initialise, cpus[1].xen_id, &context), -EINVAL);
  context = smp_context(VCPU_HVM_MODE_32B);
  context.cpu_regs.x86_32.cs_ar = 0xc93;
  EXPECT_EQ(vcpu_op(VCPUOP_initialise, cpus[1].xen_id, &context), -EINVAL);
  context.mode = 2;
  EXPECT_EQ(vcpu_op(VCPUOP_initialise, cpus[1].xen_id, &context), -EINVAL);
  EXPECT_EQ(is_up(1), 0);
  REQUIRE(smp_start_one(1, PATIENCE), "CPU 1 does not come up any more");
}

static void check_initialise(u32 mode) {
  if (alone()) return;
  u32 starts = cpus[1].starts, id = 0;
  long result = smp_initialise_one(1, mode, PATIENCE);
  REQUIRE(result == 0, "it gives %ld%s", result, error_name(result));
  EXPECT_EQ(cpus[1].starts, starts + 1);
  EXPECT_EQ(is_up(1), 1);
  beat = false;
  cpu_run(&cpus[1], count_beats, &id);
  EXPECT(cpu_wait(&cpus[1], PATIENCE), "it does not take work");
  EXPECT_EQ(take_down(1), 0);
  EXPECT_EQ(bring_up(1), 0);
  EXPECT(smp_start_one(1, PATIENCE), "INIT and SIPI do not start it any more");
}

CHECK(initialise_64, "power", "VCPUOP_initialise and up start a vCPU in 64-bit mode") { check_initialise(VCPU_HVM_MODE_64B); }
CHECK(initialise_32, "power", "VCPUOP_initialise and up start a vCPU in 32-bit mode") { check_initialise(VCPU_HVM_MODE_32B); }

CHECK(initialised_sipi, "power", "SIPI without INIT does not start a vCPU that is initialised and not up") {
  if (alone()) return;
  u32 starts = cpus[1].starts;
  REQUIRE(smp_stop_one(1), "INIT does not stop it");
  struct vcpu_hvm_context context = smp_context(VCPU_HVM_MODE_64B);
  REQUIRE_EQ(vcpu_op(VCPUOP_initialise, cpus[1].xen_id, &context), 0);
  apic_send_startup(cpus[1].apic_id, TRAMPOLINE_BASE / PAGE_SIZE);
  WAIT_FOR(false, A_WHILE);
  EXPECT_EQ(is_up(1), 0);
  EXPECT_EQ(cpus[1].starts, starts);
  REQUIRE(smp_start_one(1, PATIENCE), "INIT and SIPI do not start it");
}

static volatile u32 nmis[MAX_CPUS];
static void count_nmi(void) { nmis[this_cpu()->index]++; }

CHECK(send_nmi, "power", "send_nmi interrupts a vCPU that takes no other interrupt") {
  set_handler(VECTOR_NMI, count_nmi);
  EXPECT_EQ(vcpu_op(VCPUOP_send_nmi, cpus[0].xen_id, &beats), -EINVAL);
  for (u32 i = 0; i < cpu_count; i++) {
    u32 before = nmis[i];
    interrupts_off();
    long result = vcpu_op(VCPUOP_send_nmi, cpus[i].xen_id, NULL);
    bool came = WAIT_FOR(nmis[i] != before, 2 * SECOND);
    interrupts_on();
    REQUIRE_EQ(result, 0);
    EXPECT(came, "CPU %u gets none", i);
  }
  set_handler(VECTOR_NMI, NULL);
}

CHECK(get_physid, "power", "get_physid is for vCPUs that are pinned: EINVAL") {
  EXPECT_EQ(vcpu_op(VCPUOP_get_physid, cpus[0].xen_id, (void *)&beats), -EINVAL);
}
