/*
 * Throws random inputs at its machine from inside. On COM1 it says `ready` when it has started, and takes one order:
 *
 *   check                  whether the machine works: `whole`, or `broken` and what does not
 *   KIND SEED STEPS        steps of that kind (fuzz.h) on every CPU; then `done` and what XENVER_pagesize answers
 *
 * What it does may undo itself: then it says `fault` and which, or nothing any more. The next order wants a reset.
 */
#include "fuzz.h"

#include "../lib/console.h"
#include "../lib/format.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/setup.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define COM1 0x3f8
enum { COM_DATA, INTERRUPTS, FIFO, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS };
enum { EIGHT_BITS = 0x03, RECEIVED = 0x01, HOLDING_EMPTY = 0x20 };

static const struct kind *const kinds[] = { &hypercall_kind, &port_kind, &ide_kind, &ring_kind, &cpu_kind };

static struct setup machine;
static const struct kind *chosen;
static u64 seed, steps;

/* Whatever was done to the port. */
static void open_port(void) {
  outb(COM1 + LINE_CONTROL, EIGHT_BITS);
  outb(COM1 + MODEM_CONTROL, 0);
  outb(COM1 + INTERRUPTS, 0);
  outb(COM1 + FIFO, 0);
}

static void say(const char *text) {
  open_port();
  for (; *text != 0; text++) {
    while (!(inb(COM1 + LINE_STATUS) & HOLDING_EMPTY)) pause();
    outb(COM1 + COM_DATA, (u8)*text);
  }
}

static void hear(char *line, u32 size) {
  for (u32 length = 0; length < size - 1; length++) {
    while (!(inb(COM1 + LINE_STATUS) & RECEIVED)) pause();
    line[length] = (char)inb(COM1 + COM_DATA);
    line[length + 1] = 0;
    if (line[length] != '\n') continue;
    line[length] = 0;
    return;
  }
}

static void on_fault(const struct interrupt_frame *frame) {
  char line[64];
  format(line, sizeof line, "\nfault %lu at 0x%lx, cr2 0x%lx\n", frame->vector, frame->rip, read_cr2());
  say(line);
  halt_forever();
}

static void work(void *argument UNUSED) {
  struct draw draw;
  draw_seed(&draw, seed + ((u64)this_cpu()->index << 32));
  interrupts_off();
  for (u64 i = 0; i < steps; i++) chosen->step(&draw);
  interrupts_on();
}

static void run(const char *order) {
  for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
    if (starts_with(order, kinds[i]->name)) chosen = kinds[i];
  }
  if (chosen == NULL) {
    say("no such kind\n");
    return;
  }
  const char *at = order + strlen(chosen->name) + 1;
  seed = parse_number(&at);
  if (*at == ' ') at++;
  steps = parse_number(&at);
  const char *problem = chosen->prepare();
  if (problem != NULL) {
    say("missing ");
    say(problem);
    say("\n");
    return;
  }
  for (u32 cpu = 1; cpu < cpu_count; cpu++) cpu_run(&cpus[cpu], work, NULL);
  work(NULL);
  interrupts_off();
  say(xen_version(XENVER_pagesize, NULL) == PAGE_SIZE ? "\ndone 4096\n" : "\ndone wrong\n");
}

void guest_main(const struct boot_info *boot) {
  char order[80] = "";
  setup_guest(boot, &machine);
  set_fault_reporter(on_fault);
  say("ready\n");
  hear(order, sizeof order);
  if (strcmp(order, "check") != 0) {
    run(order);
    halt_forever();
  }
  const char *problem = check_machine();
  if (problem == NULL) {
    say("whole\n");
  } else {
    say("broken: ");
    say(problem);
    say("\n");
  }
  halt_forever();
}
