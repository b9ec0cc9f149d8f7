/* Event channels as a guest sees them, two-level ones here and FIFO in fifo.c: public/event_channel.h and xen.h. */
#include "events.h"

#include "apic.h"
#include "fifo.h"
#include "idt.h"
#include "string.h"

struct event_port event_ports[EVENT_PORTS];
struct shared_info *shared_info;
volatile u32 upcalls_by_vector[256];

/* Each in a cache line of its own, none across a page. */
static struct vcpu_info vcpu_infos[MAX_CPUS] __attribute__((aligned(64)));

long events_map_shared_info(struct shared_info *page) {
  long result = add_to_physmap(XENMAPSPACE_shared_info, 0, frame_of(page));
  if (result != 0) return result;
  shared_info = page;
  memset(page->evtchn_mask, 0xff, sizeof page->evtchn_mask);
  cpus[0].vcpu_info = &page->vcpu_info[cpus[0].xen_id];
  return 0;
}

static void upcall_with_eoi(u8 vector) {
  __atomic_fetch_add(&upcalls_by_vector[vector], 1, __ATOMIC_RELAXED);
  apic_eoi();
  events_upcall();
}
static void upcall_by_apic(void) { upcall_with_eoi(VECTOR_UPCALL); }
static void upcall_by_gsi(void) {
  __atomic_fetch_add(&upcalls_by_vector[VECTOR_GSI], 1, __ATOMIC_RELAXED);
  events_upcall(); /* lowers the line */
  apic_eoi();
}
static void upcall_by_global_vector(void) {
  __atomic_fetch_add(&upcalls_by_vector[VECTOR_GLOBAL], 1, __ATOMIC_RELAXED);
  events_upcall();
}

void events_init(void) {
  set_handler(VECTOR_UPCALL, upcall_by_apic);
  set_handler(VECTOR_GLOBAL, upcall_by_global_vector);
  set_handler(VECTOR_GSI, upcall_by_gsi);
}

long events_init_cpu(struct cpu *cpu) {
  struct vcpu_info *info = &vcpu_infos[cpu->index];
  struct vcpu_register_vcpu_info area = { .mfn = frame_of(info), .offset = address_of(info) % PAGE_SIZE };
  if (cpu->vcpu_info == info) return 0; /* started before: the place is for ever */
  long result = vcpu_op(VCPUOP_register_vcpu_info, cpu->xen_id, &area);
  if (result == 0) cpu->vcpu_info = info;
  return result;
}

long events_use_upcall_vector(struct cpu *cpu) {
  struct xen_hvm_evtchn_upcall_vector upcall = { .vcpu = cpu->xen_id, .vector = VECTOR_UPCALL };
  return hvm_op(HVMOP_set_evtchn_upcall_vector, &upcall);
}

void event_take(evtchn_port_t port) {
  struct event_port *event = &event_ports[port];
  event->cpu = this_cpu()->index;
  event->count++;
  if (event->handler != NULL) event->handler(port, event->argument);
}

void events_upcall(void) {
  if (fifo_active) {
    fifo_upcall();
    return;
  }
  struct vcpu_info *info = this_cpu()->vcpu_info;
  /* The flag first: an event that comes after its clearing raises it again, and the loop sees the word. */
  __atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
  u64 words = __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
  for (; words != 0; words &= words - 1) {
    u32 word = (u32)__builtin_ctzll(words);
    u64 bits = READ_ONCE(shared_info->evtchn_pending[word]) & ~READ_ONCE(shared_info->evtchn_mask[word]);
    for (; bits != 0; bits &= bits - 1) {
      evtchn_port_t port = word * 64 + (u32)__builtin_ctzll(bits);
      if (event_ports[port].home == this_cpu()->index && event_clear(port)) event_take(port);
    }
  }
}

void event_listen(evtchn_port_t port, void (*handler)(evtchn_port_t port, void *argument), void *argument) {
  event_ports[port].argument = argument;
  event_ports[port].handler = handler;
  evtchn_unmask(port);
}

long event_close(evtchn_port_t port) {
  event_mask(port);
  event_clear(port);
  event_ports[port] = (struct event_port){ 0 }; /* once it is closed, another CPU may be given it */
  return evtchn_close(port);
}

long event_move(evtchn_port_t port, u32 cpu) {
  struct evtchn_bind_vcpu move = { .port = port, .vcpu = cpus[cpu].xen_id };
  event_ports[port].home = cpu;
  return evtchn_op(EVTCHNOP_bind_vcpu, &move);
}

static u64 bit_of(evtchn_port_t port) { return 1ull << (port % 64); }

bool event_pending(evtchn_port_t port) {
  if (fifo_active) return (*fifo_word(port) & FIFO_PENDING) != 0;
  return (READ_ONCE(shared_info->evtchn_pending[port / 64]) & bit_of(port)) != 0;
}
bool event_masked(evtchn_port_t port) {
  if (fifo_active) return (*fifo_word(port) & FIFO_MASKED) != 0;
  return (READ_ONCE(shared_info->evtchn_mask[port / 64]) & bit_of(port)) != 0;
}
void event_mask(evtchn_port_t port) {
  if (fifo_active) {
    __atomic_fetch_or(fifo_word(port), FIFO_MASKED, __ATOMIC_SEQ_CST);
    return;
  }
  __atomic_fetch_or(&shared_info->evtchn_mask[port / 64], bit_of(port), __ATOMIC_SEQ_CST);
}
bool event_clear(evtchn_port_t port) {
  if (fifo_active) return (__atomic_fetch_and(fifo_word(port), ~FIFO_PENDING, __ATOMIC_SEQ_CST) & FIFO_PENDING) != 0;
  u64 *word = &shared_info->evtchn_pending[port / 64];
  return (__atomic_fetch_and(word, ~bit_of(port), __ATOMIC_SEQ_CST) & bit_of(port)) != 0;
}

/* Notes where a port that was just bound belongs. */
static evtchn_port_t bound(evtchn_port_t port, u32 vcpu) {
  for (u32 i = 0; i < cpu_count; i++) {
    if (cpus[i].xen_id == vcpu) event_ports[port].home = i;
  }
  return port;
}

evtchn_port_t bind_ipi(u32 vcpu, long *result) {
  struct evtchn_bind_ipi bind = { .vcpu = vcpu };
  long answer = evtchn_op(EVTCHNOP_bind_ipi, &bind);
  if (result != NULL) *result = answer;
  return answer == 0 ? bound(bind.port, vcpu) : 0;
}

evtchn_port_t bind_virq(u32 virq, u32 vcpu, long *result) {
  struct evtchn_bind_virq bind = { .virq = virq, .vcpu = vcpu };
  long answer = evtchn_op(EVTCHNOP_bind_virq, &bind);
  if (result != NULL) *result = answer;
  return answer == 0 ? bound(bind.port, vcpu) : 0;
}
