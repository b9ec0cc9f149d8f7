/* The order in which a guest gets its parts (setup.h). */
#include "setup.h"

#include "clock.h"
#include "console.h"
#include "events.h"
#include "hypercall.h"
#include "idt.h"
#include "x86.h"

/* Starting a CPU takes long where ring 0 is interpreted and the host is busy. */
#define CPU_START_TIMEOUT (20 * SECOND)

/* Data ports of the two 8259s: all their lines are masked, as interrupts come by the APICs alone. */
#define PIC1_MASK 0x21
#define PIC2_MASK 0xa1

static u8 shared_info_page[PAGE_SIZE] PAGE_ALIGNED;
static struct setup *current;

static void on_cpu_start(struct cpu *cpu) {
  /* Those beyond have none before they register one. */
  if (cpu->vcpu_info == NULL && cpu->xen_id < LEGACY_MAX_VCPUS) cpu->vcpu_info = &shared_info->vcpu_info[cpu->xen_id];
  current->vcpu_result[cpu->index] = events_init_cpu(cpu);
}

void setup_guest(const struct boot_info *boot, struct setup *setup) {
  current = setup;
  console_init(boot);
  setup->xen = xen_init();
  outb(PIC1_MASK, 0xff);
  outb(PIC2_MASK, 0xff);
  setup->acpi = acpi_read(boot, &setup->machine);
  smp_init_boot_cpu(&setup->machine, !boot_flag(boot, "xapic"));
  if (!setup->xen) return;
  setup->pv_console = console_connect();
  setup->shared_info_result = events_map_shared_info((struct shared_info *)shared_info_page);
  if (setup->shared_info_result != 0) return;
  events_init();
  setup->vcpu_result[0] = events_init_cpu(&cpus[0]);
  interrupts_on();
  if (boot_flag(boot, "up")) setup->machine.cpus = 1;
  setup->all_cpus_started = smp_start(&setup->machine, on_cpu_start, CPU_START_TIMEOUT);
}
