/*
 * Hypercalls: shapes that are nearly right, with a word changed now and then, and any number with any arguments. The
 * memory that they point to, and grant entries, change between them.
 */
#include "fuzz.h"

#include "../lib/clock.h"
#include "../lib/grants.h"
#include "../lib/hypercall.h"
#include "../lib/string.h"
#include "../lib/x86.h"

/* Numbers that have a handler are below. */
#define NUMBERS 56
#define SUB_OPERATIONS 40
/* Its entry in the page is no call but an invalid instruction. */
#define HYPERVISOR_iret 23
/* Calls that stop or end the machine are let through once in so many. */
#define ENDS_ONE_IN 400
#define STARTS_ONE_IN 50
#define MOST_WORDS 32
#define MULTICALLS 4
#define GRANT_ENTRIES (GRANT_FRAMES * PAGE_SIZE / sizeof(struct grant_entry_v1))

/* What a 32-bit word of an argument is; those from POINTER on are two words. */
enum word { END, ZERO, SMALL, PORT, CPU, SELF, SPACE, REF, ANY, POINTER, FRAME, TIME, COUNT };
/* How the argument is given: (command, pointer), (command, vCPU, pointer) or (command, pointer, count). */
enum call { PLAIN, OF_CPU, COUNTED };

struct shape {
  u8 number, command, call;
  u8 words[14];
};

static const struct shape shapes[] = {
  { HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, PLAIN, { ZERO, PORT, ZERO } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, PLAIN, { SMALL, CPU, ZERO } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq, PLAIN, { SMALL, SMALL, ZERO } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_close, PLAIN, { PORT } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_send, PLAIN, { PORT } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_status, PLAIN, { SELF, PORT, ZERO, ZERO, ZERO, ZERO } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, PLAIN, { SELF, ZERO } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, PLAIN, { CPU, ZERO } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, PLAIN, { PORT, CPU } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_unmask, PLAIN, { PORT } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_reset, PLAIN, { SELF } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_init_control, PLAIN, { FRAME, SMALL, CPU, ZERO, ZERO } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, PLAIN, { FRAME } },
  { HYPERVISOR_event_channel_op, EVTCHNOP_set_priority, PLAIN, { PORT, SMALL } },
  { HYPERVISOR_memory_op, XENMEM_decrease_reservation, PLAIN, { POINTER, COUNT, ZERO, ZERO, SELF } },
  { HYPERVISOR_memory_op, XENMEM_populate_physmap, PLAIN, { POINTER, COUNT, ZERO, ZERO, SELF } },
  { HYPERVISOR_memory_op, XENMEM_current_reservation, PLAIN, { SELF } },
  { HYPERVISOR_memory_op, XENMEM_add_to_physmap, PLAIN, { SELF, SPACE, COUNT, FRAME } },
  { HYPERVISOR_memory_op, XENMEM_add_to_physmap, PLAIN, { SELF, SPACE, FRAME, FRAME } },
  { HYPERVISOR_memory_op, XENMEM_memory_map, PLAIN, { SMALL, ZERO, POINTER } },
  { HYPERVISOR_memory_op, XENMEM_remove_from_physmap, PLAIN, { SELF, ZERO, FRAME } },
  { HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, PLAIN, { SELF, SMALL, POINTER, POINTER, POINTER } },
  { HYPERVISOR_memory_op, 13, PLAIN, { SELF, ZERO, SMALL, ZERO, POINTER } },
  { HYPERVISOR_grant_table_op, GNTTABOP_setup_table, COUNTED, { SELF, SMALL, ZERO, ZERO, POINTER } },
  { HYPERVISOR_grant_table_op, GNTTABOP_copy, COUNTED, { REF, ZERO, SELF, ZERO, FRAME, SELF, ZERO, ANY } },
  { HYPERVISOR_grant_table_op, GNTTABOP_copy, COUNTED, { FRAME, SELF, ZERO, REF, ZERO, SELF, ZERO, ANY } },
  { HYPERVISOR_grant_table_op, GNTTABOP_query_size, COUNTED, { SELF, ZERO, ZERO, ZERO } },
  { HYPERVISOR_grant_table_op, GNTTABOP_set_version, COUNTED, { SMALL } },
  { HYPERVISOR_grant_table_op, 9, COUNTED, { SMALL, SELF, ZERO, ZERO, POINTER } },
  { HYPERVISOR_grant_table_op, 11, COUNTED, { REF, REF, ZERO } },
  { HYPERVISOR_hvm_op, HVMOP_set_param, PLAIN, { SELF, SMALL, ANY, ANY } },
  { HYPERVISOR_hvm_op, HVMOP_get_param, PLAIN, { SELF, SMALL, ZERO, ZERO } },
  { HYPERVISOR_hvm_op, HVMOP_flush_tlbs, PLAIN, { ZERO } },
  { HYPERVISOR_hvm_op, HVMOP_get_time, PLAIN, { ZERO, ZERO } },
  { HYPERVISOR_hvm_op, HVMOP_get_mem_type, PLAIN, { SELF, ZERO, FRAME } },
  { HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, PLAIN, { CPU, ANY } },
  { HYPERVISOR_vcpu_op, VCPUOP_initialise, OF_CPU, { SMALL, ZERO, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY } },
  { HYPERVISOR_vcpu_op, VCPUOP_up, OF_CPU, { ZERO } },
  { HYPERVISOR_vcpu_op, VCPUOP_is_up, OF_CPU, { ZERO } },
  { HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, OF_CPU, { ZERO } },
  { HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, OF_CPU, { POINTER } },
  { HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, OF_CPU, { ANY, ZERO } },
  { HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, OF_CPU, { ZERO } },
  { HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, OF_CPU, { TIME, SMALL } },
  { HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, OF_CPU, { ZERO } },
  { HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, OF_CPU, { FRAME, SMALL, ZERO } },
  { HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, OF_CPU, { POINTER } },
  { HYPERVISOR_vcpu_op, VCPUOP_register_runstate_phys_area, OF_CPU, { POINTER } },
  { HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_phys_area, OF_CPU, { POINTER } },
  { HYPERVISOR_sched_op, SCHEDOP_yield, PLAIN, { ZERO } },
  { HYPERVISOR_sched_op, SCHEDOP_poll, PLAIN, { POINTER, SMALL, ZERO, TIME } },
  { HYPERVISOR_sched_op, SCHEDOP_watchdog, PLAIN, { SMALL, SMALL } },
  { HYPERVISOR_physdev_op, 5, PLAIN, { SMALL, ZERO } },
  { HYPERVISOR_physdev_op, 12, PLAIN, { SMALL } },
  { HYPERVISOR_physdev_op, 13, PLAIN, { SELF, SMALL, SMALL, SMALL, ZERO, ZERO, ZERO, ZERO } },
  { HYPERVISOR_physdev_op, 14, PLAIN, { SELF, SMALL } },
  { HYPERVISOR_physdev_op, 23, PLAIN, { SMALL, ZERO } },
  { HYPERVISOR_xen_version, XENVER_compile_info, PLAIN, { ZERO } },
  { HYPERVISOR_xen_version, XENVER_get_features, PLAIN, { SMALL, ZERO } },
  { HYPERVISOR_xen_version, XENVER_commandline, PLAIN, { ZERO } },
};

static u64 long_word(struct draw *draw, enum word word) {
  switch (word) {
    case POINTER: return draw_address(draw);
    case FRAME: return draw_frame(draw);
    case TIME: return now_ns() + draw_below(draw, 2 * MS);
    default: return draw_below(draw, 8);
  }
}

static u32 short_word(struct draw *draw, enum word word) {
  switch (word) {
    case SMALL: return draw_below(draw, 8);
    case PORT: return draw_below(draw, 48);
    case CPU: return draw_below(draw, 3);
    case SELF: return DOMID_SELF | draw_below(draw, 3) << 16;
    case SPACE: return draw_below(draw, 4);
    case REF: return draw_below(draw, 40);
    case ANY: return draw_word(draw);
    default: return 0;
  }
}

/* Writes the words of a shape at `to`, one of them another now and then; how many there are. */
static u32 write_shape(struct draw *draw, const u8 *words, u32 *to) {
  u32 count = 0;
  for (; *words != END; words++) {
    if (*words < POINTER) {
      to[count++] = short_word(draw, *words);
      continue;
    }
    u64 value = long_word(draw, *words);
    to[count++] = (u32)value;
    to[count++] = (u32)(value >> 32);
  }
  if (draw_one_in(draw, 3)) to[draw_below(draw, count)] = draw_word(draw);
  return count;
}

/* Whether a call would stop its vCPU, or end the machine. */
static bool ends(u64 number, u64 command, u64 cpu) {
  if (number == HYPERVISOR_vcpu_op) return (u32)command == VCPUOP_down && (u32)cpu == this_cpu()->xen_id;
  u32 low = (u32)command;
  return number == HYPERVISOR_sched_op && (low == SCHEDOP_block || low == SCHEDOP_shutdown || low == SCHEDOP_remote_shutdown);
}

/* A list of frames, ports or anything, for what arguments point to. */
static void write_list(struct draw *draw) {
  u64 *list = (u64 *)arena[draw_below(draw, ARENA_PAGES)] + draw_below(draw, 64);
  bool frames = draw_one_in(draw, 2);
  for (u32 i = 0; i < 8; i++) list[i] = frames ? draw_frame(draw) : draw_long(draw);
}

static void write_grant(struct draw *draw) {
  if (grant_table == NULL) return;
  volatile struct grant_entry_v1 *entry = &grant_table[8 + draw_below(draw, GRANT_ENTRIES - 8)];
  if (draw_one_in(draw, 2)) entry = &grant_table[draw_below(draw, 40)];
  *(volatile u32 *)entry = draw_one_in(draw, 2) ? draw_below(draw, 8) : draw_word(draw);
  *((volatile u32 *)entry + 1) = (u32)draw_frame(draw);
}

static void multicall(struct draw *draw) {
  static u64 lists[MAX_CPUS][MULTICALLS][8];
  u64(*list)[8] = lists[this_cpu()->index];
  u32 count = 1 + draw_below(draw, MULTICALLS);
  for (u32 i = 0; i < count; i++) {
    list[i][0] = draw_below(draw, NUMBERS);
    list[i][2] = draw_below(draw, SUB_OPERATIONS);
    for (u32 k = 3; k < 8; k++) list[i][k] = draw_one_in(draw, 3) ? draw_long(draw) : draw_address(draw);
    if (ends(list[i][0], list[i][2], list[i][3])) list[i][0] = HYPERVISOR_xen_version;
  }
  hypercall2(HYPERVISOR_multicall, address_of(list), draw_one_in(draw, 8) ? draw_long(draw) : count);
}

static void any_call(struct draw *draw) {
  u64 args[5];
  u32 number = draw_below(draw, NUMBERS);
  for (u32 i = 0; i < 5; i++) args[i] = draw_one_in(draw, 3) ? draw_long(draw) : draw_address(draw);
  if (!draw_one_in(draw, 4)) args[0] = draw_below(draw, SUB_OPERATIONS);
  /* A long list from address 0 on would have results written over all that the guest is. */
  if (number == HYPERVISOR_multicall && args[0] < PAGE_SIZE) return;
  if (number == HYPERVISOR_iret) return;
  if (ends(number, args[0], args[1]) && !draw_one_in(draw, ENDS_ONE_IN)) return;
  hypercall5(number, args[0], args[1], args[2], args[3], args[4]);
}

static void shaped_call(struct draw *draw) {
  u32 words[MOST_WORDS];
  const struct shape *shape = &DRAW_OF(draw, shapes);
  /* Registers that are nearly right do not lead far. */
  bool starts = shape->number == HYPERVISOR_vcpu_op && shape->command == VCPUOP_initialise;
  if (starts && !draw_one_in(draw, STARTS_ONE_IN)) return;
  u32 bytes = write_shape(draw, shape->words, words) * sizeof(u32);
  u64 at = draw_address(draw) & ~7ull;
  u64 limit = address_of(arena) + sizeof arena - sizeof words;
  /* The argument itself is where it can be read, but for the times when it is not. */
  if (at < address_of(arena) || at > limit) {
    if (!draw_one_in(draw, 4)) at = address_of(arena);
  }
  if (at >= address_of(arena) && at <= limit) memcpy(pointer_to(at), words, bytes);
  u64 cpu = draw_one_in(draw, 3) ? this_cpu()->xen_id : draw_below(draw, 3);
  if (shape->call == OF_CPU) hypercall3(shape->number, shape->command, cpu, at);
  else hypercall3(shape->number, shape->command, at, shape->call == COUNTED ? 1 + draw_below(draw, 3) : 0);
}

void random_hypercall(struct draw *draw) {
  switch (draw_below(draw, 16)) {
    case 0: write_list(draw); break;
    case 1: draw_fill(draw, arena[draw_below(draw, ARENA_PAGES)], 128); break;
    case 2: write_grant(draw); break;
    case 3: multicall(draw); break;
    case 4: set_timer_op(draw_one_in(draw, 2) ? now_ns() + draw_below(draw, MS) : draw_long(draw)); break;
    case 5:
    case 6:
    case 7: any_call(draw); break;
    case 8:
      /* Whatever is pending comes now. */
      interrupts_on();
      pause();
      interrupts_off();
      break;
    default: shaped_call(draw);
  }
}

const char *prepare_hypercalls(void) { return grants_init() == 0 ? NULL : "no grant table"; }

const struct kind hypercall_kind = { "hypercalls", prepare_hypercalls, random_hypercall };
