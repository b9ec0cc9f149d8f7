/* Processors: starting them, giving them work, knowing which one this is. */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "acpi.h"
#include "xen.h"

struct cpu {
  struct cpu *self; /* first: found through GS */
  u32 index, apic_id;
  u32 xen_id; /* vCPU number, as hypercalls want it */
  bool online;
  /* Where this CPU's events and clock are now: in shared_info until registered elsewhere. */
  struct vcpu_info *volatile vcpu_info;
  /* Work handed over by another CPU; NULL when idle. */
  void (*volatile work)(void *argument);
  void *work_argument;
  /* Number of INIT-SIPI rounds this CPU has come up by. */
  volatile u32 starts;
};

extern struct cpu cpus[MAX_CPUS];
/* Processors that are up; 1 until smp_start. */
extern u32 cpu_count;

static inline struct cpu *this_cpu(void) {
  struct cpu *cpu;
  __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
  return cpu;
}

/* Makes the boot CPU cpus[0], with interrupt table and APIC. Interrupts stay off. */
void smp_init_boot_cpu(const struct acpi_machine *machine, bool allow_x2apic);
/* Called on each started CPU before it takes work. */
typedef void (*cpu_hook)(struct cpu *cpu);
/* Starts the others by INIT and SIPI, one by one; false when one does not come up within `timeout_ns`. */
bool smp_start(const struct acpi_machine *machine, cpu_hook hook, u64 timeout_ns);
/* Starts cpus[index] (again). */
bool smp_start_one(u32 index, u64 timeout_ns);

/*
 * As smp_start_one, but after INIT by VCPUOP_initialise and VCPUOP_up, in `mode` (VCPU_HVM_MODE_*). The result of the first
 * that fails, else 0; -ETIME when the CPU does not come up.
 */
long smp_initialise_one(u32 index, u32 mode, u64 timeout_ns);
/* Registers for it: they lead to where every CPU starts. */
struct vcpu_hvm_context smp_context(u32 mode);
/* Stops a CPU by INIT; true when VCPUOP_is_up says so. */
bool smp_stop_one(u32 index);

/* Hands `work` to an idle CPU and wakes it; cpu_wait waits for its end, false after the timeout. */
void cpu_run(struct cpu *cpu, void (*work)(void *argument), void *argument);
bool cpu_wait(struct cpu *cpu, u64 timeout_ns);

/* Lets others run for a moment while waiting. */
void relax(void);

#endif
