/* Application processors (smp.h). [SDM] volume 3, 8.4.4: INIT, then SIPI twice. */
#include "smp.h"

#include "apic.h"
#include "clock.h"
#include "hypercall.h"
#include "idt.h"
#include "string.h"
#include "x86.h"

#define MSR_GS_BASE 0xc0000101
#define AP_STACK_SIZE 16384
/* Time for a CPU to take an INIT. */
#define INIT_DELAY_NS 1000000
#define INIT_LIMIT_NS 2000000000
#define SIPI_RETRY_NS 200000000
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define EFER_LME 0x100
#define EFER_LMA 0x400

struct cpu cpus[MAX_CPUS];
u32 cpu_count = 1;

extern const u8 trampoline[], trampoline_end[], ap_context32[], ap_context64[];
/* For trampoline.S: one CPU starts at a time. */
u64 ap_stack;

static u8 ap_stacks[MAX_CPUS][AP_STACK_SIZE] __attribute__((aligned(16)));
static struct cpu *starting;
static cpu_hook on_start;
static bool use_x2apic;

static u32 xen_vcpu_id(u32 otherwise) {
  u32 base = xen_cpuid_base();
  if (base == 0 || cpuid(base, 0).eax < base + 4) return otherwise;
  struct cpuid_result leaf = cpuid(base + 4, 0);
  return leaf.eax & XEN_HVM_CPUID_VCPU_ID_PRESENT ? leaf.ebx : otherwise;
}

static void bring_up(struct cpu *cpu) {
  cpu->self = cpu;
  wrmsr(MSR_GS_BASE, address_of(cpu));
  idt_load();
  apic_init(use_x2apic);
  cpu->apic_id = apic_id();
  cpu->xen_id = xen_vcpu_id(cpu->xen_id);
}

void smp_init_boot_cpu(const struct acpi_machine *machine, bool allow_x2apic) {
  use_x2apic = allow_x2apic;
  cpus[0].xen_id = machine->processor_ids[0];
  set_handler(VECTOR_WAKE, apic_eoi);
  idt_init();
  bring_up(&cpus[0]);
  cpus[0].online = true;
}

void ap_entry(void);
void ap_entry(void) {
  struct cpu *cpu = starting;
  bring_up(cpu);
  on_start(cpu);
  cpu->starts++;
  __atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
  for (;;) {
    interrupts_off();
    void (*work)(void *) = cpu->work;
    if (work == NULL) {
      interrupts_on_and_halt();
      continue;
    }
    interrupts_on();
    work(cpu->work_argument);
    __atomic_store_n(&cpu->work, NULL, __ATOMIC_RELEASE);
  }
}

static void prepare(u32 index) {
  struct cpu *cpu = &cpus[index];
  starting = cpu;
  cpu->online = false;
  cpu->work = NULL;
  ap_stack = address_of(ap_stacks[index] + AP_STACK_SIZE);
}

bool smp_stop_one(u32 index) {
  apic_send_init(cpus[index].apic_id);
  return WAIT_FOR(vcpu_op(VCPUOP_is_up, cpus[index].xen_id, NULL) == 0, INIT_LIMIT_NS);
}

struct vcpu_hvm_context smp_context(u32 mode) {
  if (mode == VCPU_HVM_MODE_64B) {
    return (struct vcpu_hvm_context){
      .mode = mode,
      .cpu_regs.x86_64 = {
        .rip = address_of(ap_context64), .rsp = ap_stack, .rflags = 2,
        .cr0 = CR0_PE | CR0_PG, .cr3 = read_cr3(), .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA,
      },
    };
  }
  return (struct vcpu_hvm_context){
    .mode = mode,
    .cpu_regs.x86_32 = {
      .eip = (u32)address_of(ap_context32), .eflags = 2, .cr0 = CR0_PE,
      .cs_ar = 0xc9b, .cs_limit = ~0u, .ds_ar = 0xc93, .ds_limit = ~0u, .ss_ar = 0xc93, .ss_limit = ~0u,
      .es_ar = 0xc93, .es_limit = ~0u, .tr_ar = 0x8b, .tr_limit = 0x67,
    },
  };
}

long smp_initialise_one(u32 index, u32 mode, u64 timeout_ns) {
  struct cpu *cpu = &cpus[index];
  prepare(index);
  if (!smp_stop_one(index)) return -ETIME;
  struct vcpu_hvm_context context = smp_context(mode);
  long result = vcpu_op(VCPUOP_initialise, cpu->xen_id, &context);
  if (result == 0) result = vcpu_op(VCPUOP_up, cpu->xen_id, NULL);
  if (result != 0) return result;
  return WAIT_FOR(READ_ONCE(cpu->online), timeout_ns) ? 0 : -ETIME;
}

bool smp_start_one(u32 index, u64 timeout_ns) {
  struct cpu *cpu = &cpus[index];
  memcpy(pointer_to(TRAMPOLINE_BASE), trampoline, (size_t)(trampoline_end - trampoline));
  prepare(index);
  apic_send_init(cpu->apic_id);
  WAIT_FOR(false, INIT_DELAY_NS);
  for (u64 end = now_ns() + timeout_ns; now_ns() < end;) {
    apic_send_startup(cpu->apic_id, TRAMPOLINE_BASE / PAGE_SIZE);
    if (WAIT_FOR(READ_ONCE(cpu->online), SIPI_RETRY_NS)) return true;
  }
  return false;
}

bool smp_start(const struct acpi_machine *machine, cpu_hook hook, u64 timeout_ns) {
  on_start = hook;
  for (u32 i = 1; i < machine->cpus; i++) {
    cpus[i].index = i;
    cpus[i].apic_id = machine->apic_ids[i];
    cpus[i].xen_id = machine->processor_ids[i];
    if (!smp_start_one(i, timeout_ns)) return false;
    cpu_count = i + 1;
  }
  return true;
}

void cpu_run(struct cpu *cpu, void (*work)(void *argument), void *argument) {
  cpu->work_argument = argument;
  __atomic_store_n(&cpu->work, work, __ATOMIC_RELEASE);
  apic_send(cpu->apic_id, VECTOR_WAKE);
}

bool cpu_wait(struct cpu *cpu, u64 timeout_ns) {
  return WAIT_FOR(__atomic_load_n(&cpu->work, __ATOMIC_ACQUIRE) == NULL, timeout_ns);
}

void relax(void) {
  for (u32 i = 0; i < 8; i++) pause();
  if (xen_present()) sched_op(SCHEDOP_yield, NULL);
}
