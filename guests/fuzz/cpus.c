/* IPIs of every kind, INIT and SIPI, and VCPUOPs that stop and start vCPUs, each at the other and at itself. */
#include "fuzz.h"

#include "../lib/apic.h"
#include "../lib/boot.h"
#include "../lib/clock.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/x86.h"

/* [SDM] volume 3, 11.6.1 and 11.12.9: the interrupt command register in x2APIC mode; delivery modes in bits 10:8. */
#define MSR_X2APIC_ICR 0x830
#define MODE_NMI 4u
#define MODE_INIT 5u
#define MODE_STARTUP 6u
#define START_TIMEOUT (50 * MS)

static u32 some_cpu(struct draw *draw) { return cpus[draw_below(draw, cpu_count)].apic_id; }

/* Any command, but that INIT and SIPI go to a CPU, and mostly not the one that starts all over with the machine. */
static void any_ipi(struct draw *draw) {
  u32 command = draw_word(draw) & 0xcffff;
  u32 mode = command >> 8 & 7;
  bool starts = mode == MODE_INIT || mode == MODE_STARTUP;
  if (starts && !draw_one_in(draw, 50)) return;
  /* Those below 32 are taken for exceptions. */
  if ((command & 0xe0) == 0 && !draw_one_in(draw, 50)) command |= 0x20;
  u64 target = draw_one_in(draw, 8) ? draw_word(draw) : some_cpu(draw);
  if (apic_is_x2apic()) try_wrmsr(MSR_X2APIC_ICR, target << 32 | command);
  else apic_send((u32)target, (u8)command);
}

static void step(struct draw *draw) {
  u32 index = this_cpu()->index == 0 && cpu_count > 1 ? 1 : 0;
  u32 apic = cpus[index].apic_id, xen = cpus[index].xen_id;
  switch (draw_below(draw, 16)) {
    case 0:
      if (index != 0 || draw_one_in(draw, 100)) apic_send_init(apic);
      break;
    case 1:
      apic_send_startup(apic, draw_one_in(draw, 16) ? (u8)draw_below(draw, 256) : TRAMPOLINE_BASE / PAGE_SIZE);
      break;
    case 2:
      if (index != 0) smp_start_one(index, START_TIMEOUT);
      break;
    case 3:
      if (index != 0) smp_initialise_one(index, draw_below(draw, 2), START_TIMEOUT);
      break;
    case 4:
      if (index != 0 || draw_one_in(draw, 100)) vcpu_op(VCPUOP_down, xen, NULL);
      break;
    case 5: vcpu_op(VCPUOP_up, xen, NULL); break;
    case 6: vcpu_op(VCPUOP_is_up, xen, NULL); break;
    case 7: vcpu_op(VCPUOP_send_nmi, xen, NULL); break;
    case 8:
    case 9:
    case 10: any_ipi(draw); break;
    case 11:
      interrupts_on();
      pause();
      interrupts_off();
      break;
    default: random_hypercall(draw);
  }
}

const struct kind cpu_kind = { "cpus", prepare_hypercalls, step };
