/* FIFO event channels, the guest's side: queues are taken from their heads, the word's link leads to the next. */
#include "fifo.h"

#include "string.h"

#define PAGES (EVENT_PORTS / (PAGE_SIZE / sizeof(u32)))

static volatile u32 words[EVENT_PORTS] __attribute__((aligned(PAGE_SIZE)));
/* evtchn_fifo_control_block: 72 bytes, which may not cross a page. */
static struct control_block {
  u32 ready, reserved;
  u32 head[FIFO_QUEUES];
} __attribute__((aligned(128))) blocks[MAX_CPUS];
static struct {
  u32 head[FIFO_QUEUES];
} taking[MAX_CPUS];

bool fifo_active;

long fifo_switch(void) {
  for (u32 i = 0; i < EVENT_PORTS; i++) words[i] = FIFO_MASKED;
  memset(taking, 0, sizeof taking);
  for (u32 i = 0; i < cpu_count; i++) {
    struct control_block *block = &blocks[i];
    memset(block, 0, sizeof *block);
    struct evtchn_init_control control = { .control_gfn = frame_of(block),
                                           .offset = address_of(block) % PAGE_SIZE,
                                           .vcpu = cpus[i].xen_id };
    long result = evtchn_op(EVTCHNOP_init_control, &control);
    if (result != 0) return result;
    fifo_active = true;
    if (control.link_bits != 17) return -EINVAL;
  }
  for (u32 page = 0; page < PAGES; page++) {
    struct evtchn_expand_array expand = { .array_gfn = frame_of((void *)words) + page };
    long result = evtchn_op(EVTCHNOP_expand_array, &expand);
    if (result != 0) return result;
  }
  return 0;
}

long fifo_leave(void) {
  struct { domid_t dom; } reset = { DOMID_SELF };
  long result = evtchn_op(EVTCHNOP_reset, &reset);
  if (result == 0) fifo_active = false;
  return result;
}

long fifo_set_priority(evtchn_port_t port, u32 priority) {
  struct evtchn_set_priority set = { .port = port, .priority = priority };
  return evtchn_op(EVTCHNOP_set_priority, &set);
}

volatile u32 *fifo_word(evtchn_port_t port) { return &words[port]; }

u32 fifo_ready(u32 cpu) { return __atomic_load_n(&blocks[cpu].ready, __ATOMIC_SEQ_CST); }

/* Clears link and LINKED of the word, and returns the link. */
static u32 unlink_word(evtchn_port_t port) {
  u32 old = words[port];
  while (!__atomic_compare_exchange_n(&words[port], &old, old & ~(FIFO_LINKED | FIFO_LINK), false, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST));
  return old & FIFO_LINK;
}

/*
 * Takes the first event of the queue; false when it was the last. The control block's head is Xen's: it stands for another
 * event as soon as the last one's link is taken.
 */
static bool take_first(struct control_block *block, u32 *head, u32 queue) {
  evtchn_port_t port = *head != 0 ? *head : __atomic_load_n(&block->head[queue], __ATOMIC_SEQ_CST);
  if (port == 0 || port >= EVENT_PORTS) return false;
  *head = unlink_word(port);
  if ((words[port] & (FIFO_PENDING | FIFO_MASKED)) == FIFO_PENDING && event_clear(port)) event_take(port);
  return *head != 0;
}

void fifo_upcall(void) {
  struct cpu *cpu = this_cpu();
  struct control_block *block = &blocks[cpu->index];
  __atomic_exchange_n(&cpu->vcpu_info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
  u32 ready = __atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST);
  while (ready != 0) {
    u32 queue = (u32)__builtin_ctz(ready);
    if (!take_first(block, &taking[cpu->index].head[queue], queue)) ready &= ~(1u << queue);
    ready |= __atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST);
  }
}
