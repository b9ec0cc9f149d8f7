/* Hypercalls by kind: those that ask for nothing, and those with a struct to fetch, to store, or both. */
#include "bench.h"

#include "../lib/hypercall.h"
#include "../lib/x86.h"

/* Of the calls, one after the other. `call` may name `i`, which counts. */
#define TIMED(call) \
  ({ \
    u64 start = rdtsc(); \
    for (u64 i = 0; i < iterations; i++) call; \
    rdtsc() - start; \
  })

struct multicall_entry {
  u64 op;
  s64 result;
  u64 arguments[6];
};
_Static_assert(sizeof(struct multicall_entry) == 64, "multicall_entry");

u64 bench_version(u64 iterations) { return TIMED(xen_version(XENVER_version, NULL)); }

u64 bench_extraversion(u64 iterations) {
  char text[16];
  return TIMED(xen_version(XENVER_extraversion, text));
}

u64 bench_multicall(u64 iterations) {
  static struct multicall_entry entries[MULTICALL_ENTRIES];
  for (u32 i = 0; i < MULTICALL_ENTRIES; i++) entries[i].op = HYPERVISOR_xen_version;
  return TIMED(hypercall2(HYPERVISOR_multicall, address_of(entries), MULTICALL_ENTRIES));
}

u64 bench_memory_query(u64 iterations) {
  domid_t self = DOMID_SELF;
  return TIMED(memory_op(XENMEM_current_reservation, &self));
}

u64 bench_grant_query(u64 iterations) {
  struct gnttab_query_size query = { .dom = DOMID_SELF };
  return TIMED(grant_table_op(GNTTABOP_query_size, &query, 1));
}

u64 bench_vcpu_is_up(u64 iterations) { return TIMED(vcpu_op(VCPUOP_is_up, 0, NULL)); }

static evtchn_port_t unbound_port(void) {
  struct evtchn_alloc_unbound request = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
  return evtchn_op(EVTCHNOP_alloc_unbound, &request) == 0 ? request.port : 0;
}

u64 bench_evtchn_status(u64 iterations) {
  struct evtchn_status status = { .dom = DOMID_SELF, .port = unbound_port() };
  u64 cycles = TIMED(evtchn_op(EVTCHNOP_status, &status));
  evtchn_close(status.port);
  return cycles;
}

u64 bench_evtchn_unmask(u64 iterations) {
  evtchn_port_t port = unbound_port();
  u64 cycles = TIMED(evtchn_unmask(port));
  evtchn_close(port);
  return cycles;
}

u64 bench_get_param(u64 iterations) {
  u64 value;
  return TIMED(hvm_get_param(HVM_PARAM_STORE_EVTCHN, &value));
}

u64 bench_get_time(u64 iterations) {
  u64 now;
  return TIMED(hvm_op(HVMOP_get_time, &now));
}

u64 bench_stop_timer(u64 iterations) { return TIMED(set_timer_op(0)); }

u64 bench_yield(u64 iterations) { return TIMED(sched_op(SCHEDOP_yield, NULL)); }
