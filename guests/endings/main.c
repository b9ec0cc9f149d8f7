/*
 * Every road by which a guest resets its machine or switches it off.
 *
 * Command line: `road=<name>` (see below); `starts=N` takes it N times (1 when left out) before it says "start N+1" and
 * ends well; `busy` has all other processors spin meanwhile, and `other` has one of them take the road. At each start but
 * the first, what the guest finds must be what it found at the first: "as new", or a line for each difference.
 */
#include "../lib/acpi.h"
#include "../lib/apic.h"
#include "../lib/clock.h"
#include "../lib/console.h"
#include "../lib/events.h"
#include "../lib/format.h"
#include "../lib/hypercall.h"
#include "../lib/idt.h"
#include "../lib/pci.h"
#include "../lib/setup.h"
#include "../lib/string.h"
#include "../lib/x86.h"

#define KEYBOARD_DATA 0x60
#define KEYBOARD_COMMAND 0x64
#define PULSE_RESET 0xfe
#define WRITE_OUTPUT_PORT 0xd1
#define PORT92 0x92
#define RESET_CONTROL 0xcf9
#define SLEEP_ENABLE 0x2000 /* with sleep type 0, which \_S5 of our tables names */
#define PIC1_MASK 0x21
#define PIC2_MASK 0xa1
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_FREE 0x50 /* a byte that nobody uses, kept by the battery */
#define APIC_BASE 0xfee00000u
#define MSR_APIC_BASE 0x1b

#define TIMER_DELAY (2 * MS)
#define PATIENCE (5 * SECOND)

/* A record that survives resets: RAM keeps its contents, and the loader does not come here. */
#define RECORD 0x1800000
#define RECORD_MAGIC 0x454e44494e475321ull
#define MOST_VALUES 32

struct record {
  u64 magic, starts, count;
  u64 values[MOST_VALUES];
};
static struct record *record;

static const u32 msrs[] = {
  0x174,      /* SYSENTER_CS */
  0x175,      /* SYSENTER_ESP */
  0x176,      /* SYSENTER_EIP */
  0x277,      /* PAT */
  0xc0000081, /* STAR */
  0xc0000082, /* LSTAR */
  0xc0000084, /* SFMASK */
  0xc0000102, /* KERNEL_GS_BASE */
  MSR_APIC_BASE,
};
/* Offsets of local APIC registers: TPR, LDR, DFR, SVR, LVT of timer, LINT0 and LINT1, the timer's initial count. */
static const u32 apic_registers[] = { 0x80, 0xd0, 0xe0, 0xf0, 0x320, 0x350, 0x360, 0x380 };

static const struct boot_info *boot;
static struct setup machine;
static struct acpi_fadt fadt;

static u32 platform_devfn(void) { return (u32)pci_find(XEN_PLATFORM_ID); }

/* What the machine is like now; one value after the other. Local APIC in xAPIC mode, as after power-on. */
static u32 look(u64 *values) {
  u32 count = 0;
  for (u32 i = 0; i < sizeof msrs / sizeof *msrs; i++) {
    u64 value = 0;
    if (!try_rdmsr(msrs[i], &value)) value = ~0ull;
    values[count++] = value;
  }
  bool xapic = (rdmsr(MSR_APIC_BASE) & 0xc00) == 0x800;
  for (u32 i = 0; i < sizeof apic_registers / sizeof *apic_registers; i++) {
    values[count++] = xapic ? *(volatile u32 *)pointer_to(APIC_BASE + apic_registers[i]) : 0xdead;
  }
  values[count++] = pci_read32(platform_devfn(), PCI_COMMAND);
  values[count++] = pci_read32(platform_devfn(), 0x10);
  values[count++] = (u64)inb(PIC1_MASK) << 8 | inb(PIC2_MASK);
  values[count++] = inb(PORT92);
  return count;
}

/* Changes what a reset must put back. */
static void disturb(void) {
  for (u32 i = 0; i < sizeof msrs / sizeof *msrs; i++) {
    if (msrs[i] != MSR_APIC_BASE && msrs[i] != 0x277) try_wrmsr(msrs[i], 0x123400 + i);
  }
  try_wrmsr(0x277, 0x0606060606060606); /* every type write-back */
  pci_write32(platform_devfn(), 0x10, 0xd000);
  pci_write32(platform_devfn(), PCI_COMMAND, 0x0400);
  outb(PIC1_MASK, 0xa5);
  outb(CMOS_INDEX, CMOS_FREE);
  outb(CMOS_DATA, (u8)record->starts);
}

static void compare(void) {
  u64 now[MOST_VALUES];
  u32 count = look(now);
  u32 different = 0;
  for (u32 i = 0; i < count; i++) {
    if (now[i] == record->values[i]) continue;
    print("value %u is 0x%lx, was 0x%lx\n", i, now[i], record->values[i]);
    different++;
  }
  outb(CMOS_INDEX, CMOS_FREE);
  u8 kept = inb(CMOS_DATA);
  if (kept != (u8)(record->starts - 1)) print("CMOS byte is %u\n", kept);
  if (different == 0) print("as new\n");
}

static volatile long armed;

static void arm_timer(void *argument UNUSED) {
  struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = now_ns() + TIMER_DELAY };
  armed = vcpu_op(VCPUOP_set_singleshot_timer, this_cpu()->xen_id, &timer);
}

/* Each processor's timer raises its event, though nobody takes it. */
static void try_timers(void) {
  for (u32 cpu = 0; cpu < cpu_count; cpu++) {
    long result;
    evtchn_port_t port = bind_virq(VIRQ_TIMER, cpus[cpu].xen_id, &result);
    if (cpu == 0) {
      arm_timer(NULL);
    } else {
      cpu_run(&cpus[cpu], arm_timer, NULL);
      cpu_wait(&cpus[cpu], PATIENCE);
    }
    if (port == 0 || armed != 0) print("timer %u: bound by %ld, armed by %ld\n", cpu, result, armed);
    if (!WAIT_FOR(event_pending(port), PATIENCE)) print("timer %u is silent\n", cpu);
  }
}

static void by_keyboard_pulse(void) { outb(KEYBOARD_COMMAND, PULSE_RESET); }

static void by_keyboard_port(void) {
  outb(KEYBOARD_COMMAND, WRITE_OUTPUT_PORT);
  outb(KEYBOARD_DATA, 0x02); /* A20 on, reset line low */
}

static void by_port92(void) { outb(PORT92, inb(PORT92) | 1); }

static void by_reset_control_soft(void) {
  outb(RESET_CONTROL, 0x00);
  outb(RESET_CONTROL, 0x04);
}

static void by_reset_control_hard(void) {
  outb(RESET_CONTROL, 0x02);
  outb(RESET_CONTROL, 0x06);
}

static void by_reset_control_full(void) { outb(RESET_CONTROL, 0x0e); }

/* Says which kind the next reset will be; none follows. */
static void by_reset_control_kind_only(void) { outb(RESET_CONTROL, 0x02); }

static void by_acpi(void) {
  if (fadt.reset_port != 0) outb(fadt.reset_port, fadt.reset_value);
}

static void by_s5(void) { outw(fadt.pm1a_control, SLEEP_ENABLE); }

static void by_triple_fault(void) {
  static const struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) no_table = { 0, 0 };
  __asm__ volatile("lidt %0; ud2" : : "m"(no_table));
}

/* INIT to the boot processor: it starts over at the reset vector. */
static void by_init(void) { apic_send_init(cpus[0].apic_id); }

/*
 * What the processor runs in SMM, in 16-bit code: it has its next SMI save its state where there is no memory. Its data
 * segment begins at 0. [APM] volume 2, 10.2.3: SMBASE is at 0xff00 of the state.
 */
static const u8 smm_code[] = {
  0x66, 0x67, 0xc7, 0x05, 0x00, 0xff, 0x03, 0x00, 0x00, 0x00, 0x00, 0xf0, /* movl $0xf0000000, 0x3ff00 */
  0x0f, 0xaa, /* rsm */
};
#define SMM_ENTRY 0x38000

/* A processor that cannot enter SMM. One that has no SMM goes on. */
static void by_smm(void) {
  memcpy(pointer_to(SMM_ENTRY), smm_code, sizeof smm_code);
  for (u32 i = 0; i < 2; i++) apic_send_smi(cpus[0].apic_id);
}

static void shut_down(u32 reason) {
  u32 argument = reason;
  sched_op(SCHEDOP_shutdown, &argument);
}

static void by_sched_reboot(void) { shut_down(SHUTDOWN_reboot); }
static void by_sched_poweroff(void) { shut_down(SHUTDOWN_poweroff); }

static const struct road {
  const char *name;
  void (*take)(void);
} roads[] = {
  { "keyboard-pulse", by_keyboard_pulse },
  { "keyboard-port", by_keyboard_port },
  { "port92", by_port92 },
  { "cf9-soft", by_reset_control_soft },
  { "cf9-hard", by_reset_control_hard },
  { "cf9-full", by_reset_control_full },
  { "cf9-kind-only", by_reset_control_kind_only },
  { "acpi", by_acpi },
  { "s5", by_s5 },
  { "triple-fault", by_triple_fault },
  { "init", by_init },
  { "smm", by_smm },
  { "sched-reboot", by_sched_reboot },
  { "sched-poweroff", by_sched_poweroff },
};

static void spin(void *argument UNUSED) {
  for (;;) pause();
}

static void take(void *argument) {
  const struct road *road = argument;
  road->take();
}

void guest_main(const struct boot_info *info) {
  static u64 found[MOST_VALUES];
  boot = info;
  record = pointer_to(RECORD);
  u32 count = 0;
  bool first = record->magic != RECORD_MAGIC;
  smp_init_boot_cpu(&(struct acpi_machine){ .cpus = 1 }, false);
  if (first) {
    *record = (struct record){ .magic = RECORD_MAGIC };
    count = look(found);
    memcpy(record->values, found, sizeof found);
    record->count = count;
  }
  record->starts++;
  console_init(boot);
  if (!first) compare();
  setup_guest(boot, &machine);
  acpi_find_fadt(boot, &fadt);
  try_timers();
  print("start %lu\n", record->starts);
  if (record->starts > boot_number(boot, "starts", 1)) finish(0);
  console_flush();
  disturb();
  const struct road *road = NULL;
  for (u32 i = 0; i < sizeof roads / sizeof *roads; i++) {
    if (boot_listed(boot, "road", roads[i].name)) road = &roads[i];
  }
  if (road == NULL) {
    print("no such road\n");
    finish(1);
  }
  bool by_other = boot_flag(boot, "other") && cpu_count > 1;
  for (u32 cpu = by_other ? 2 : 1; boot_flag(boot, "busy") && cpu < cpu_count; cpu++) cpu_run(&cpus[cpu], spin, NULL);
  if (by_other) {
    cpu_run(&cpus[1], take, (void *)(uintptr_t)road);
    cpu_wait(&cpus[1], 2000000000ul);
  } else {
    road->take();
  }
  /* A reset is not heard of at once: the processor may go on for a moment. */
  for (u32 i = 0; i < 20000; i++) inb(0x80);
  print("still here\n");
  finish(0);
}
