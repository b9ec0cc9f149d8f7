/*
 * Prints what CPUID says about a machine's topology, on each processor in turn, on COM1:
 *
 *     cpu <index> <leaf> <subleaf> <eax> <ebx> <ecx> <edx>
 *
 * It needs no Xen, so that it runs on other monitors too; the end is isa-debug-exit with `debug-exit`.
 */
#include "../lib/acpi.h"
#include "../lib/clock.h"
#include "../lib/console.h"
#include "../lib/smp.h"
#include "../lib/x86.h"

#define MOST_SUBLEAVES 8
#define PIC1_MASK 0x21
#define PIC2_MASK 0xa1

static void show(u32 leaf, u32 subleaf) {
  struct cpuid_result r = cpuid(leaf, subleaf);
  print("cpu %u %x %x %x %x %x %x\n", this_cpu()->index, leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
}

/* Cache leaves end with type 0. */
static void show_caches(u32 leaf) {
  for (u32 subleaf = 0; subleaf < MOST_SUBLEAVES && (cpuid(leaf, subleaf).eax & 0x1f) != 0; subleaf++) {
    show(leaf, subleaf);
  }
}

/* Topology leaves end with level type 0. */
static void show_levels(u32 leaf) {
  for (u32 subleaf = 0; subleaf < MOST_SUBLEAVES; subleaf++) {
    show(leaf, subleaf);
    if ((cpuid(leaf, subleaf).ecx >> 8 & 0xff) == 0) break;
  }
}

static void show_all(void *argument UNUSED) {
  u32 basic = cpuid(0, 0).eax, extended = cpuid(0x80000000, 0).eax;
  show(0, 0);
  show(1, 0);
  if (basic >= 4) show_caches(4);
  if (basic >= 0xb) show_levels(0xb);
  if (basic >= 0x1f) show_levels(0x1f);
  show(0x80000001, 0);
  for (u32 leaf = 0x80000002; leaf <= 0x80000004; leaf++) show(leaf, 0);
  if (extended >= 0x80000008) show(0x80000008, 0);
  if (extended >= 0x8000001d) show_caches(0x8000001d);
  if (extended >= 0x8000001e) show(0x8000001e, 0);
}

static void started(struct cpu *cpu UNUSED) {}

void guest_main(const struct boot_info *boot) {
  struct acpi_machine machine;
  console_init(boot);
  outb(PIC1_MASK, 0xff);
  outb(PIC2_MASK, 0xff);
  acpi_read(boot, &machine);
  smp_init_boot_cpu(&machine, true);
  interrupts_on();
  if (!smp_start(&machine, started, 20 * SECOND)) print("some processors do not start\n");
  show_all(NULL);
  for (u32 cpu = 1; cpu < cpu_count; cpu++) {
    cpu_run(&cpus[cpu], show_all, NULL);
    cpu_wait(&cpus[cpu], 10 * SECOND);
  }
  finish(0);
}
