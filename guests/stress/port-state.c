#include "port-state.h"

#include "../lib/fifo.h"
#include "../lib/format.h"
#include "../lib/x86.h"

struct port_state port_state(evtchn_port_t port) {
  struct port_state state;
  u32 home = event_ports[port].home;
  const struct vcpu_info *info = cpus[home].vcpu_info;
  size_t length = format(state.text, sizeof state.text, "pending %u, masked %u; CPU %u: upcall %u, ", event_pending(port),
                         event_masked(port), home, info->evtchn_upcall_pending);
  if (fifo_active) {
    format(state.text + length, sizeof state.text - length, "word 0x%x, ready 0x%x", *fifo_word(port), fifo_ready(home));
  } else format(state.text + length, sizeof state.text - length, "selector 0x%lx", READ_ONCE(info->evtchn_pending_sel));
  return state;
}
