/* [SDM] volume 3, chapter 10 (local APIC, x2APIC); [IOAPIC] 82093AA data sheet, 3.1 and 3.2. */
#include "apic.h"

#include "idt.h"
#include "x86.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ADDRESS 0xffffff000ull
#define MSR_X2APIC 0x800
#define CPUID1_ECX_X2APIC (1u << 21)

/* Register offsets of the memory-mapped form; the MSR form has them divided by 16. */
#define REG_ID 0x20
#define REG_EOI 0xb0
#define REG_SPURIOUS 0xf0
#define REG_ICR 0x300
#define REG_ICR_HIGH 0x310
#define REG_LINT0 0x350
#define SPURIOUS_ENABLE 0x100
#define ICR_SMI 0x4200
#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define ICR_FIXED 0x4000
#define ICR_BUSY 0x1000

#define IOAPIC_SELECT 0x00
#define IOAPIC_WINDOW 0x10
#define IOAPIC_REDIRECTION(pin) (0x10 + 2 * (pin))
#define REDIRECTION_LEVEL_LOW 0xa000
#define REDIRECTION_MASKED 0x10000

static bool x2apic;
static volatile u32 *registers;

static u32 read(u32 offset) {
  if (x2apic) return (u32)rdmsr(MSR_X2APIC + offset / 16);
  return registers[offset / 4];
}

static void write(u32 offset, u32 value) {
  if (x2apic) wrmsr(MSR_X2APIC + offset / 16, value);
  else registers[offset / 4] = value;
}

void apic_init(bool allow_x2apic) {
  u64 base = rdmsr(MSR_APIC_BASE);
  x2apic = (base & APIC_BASE_X2APIC) || (allow_x2apic && (cpuid(1, 0).ecx & CPUID1_ECX_X2APIC));
  registers = pointer_to(base & APIC_BASE_ADDRESS);
  wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
  if (x2apic) wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
  write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
}

u32 apic_off(void) {
  u32 lint0 = read(REG_LINT0);
  write(REG_SPURIOUS, VECTOR_SPURIOUS);
  return lint0;
}

void apic_on(u32 lint0) {
  write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
  write(REG_LINT0, lint0);
}

u32 apic_id(void) { return x2apic ? read(REG_ID) : read(REG_ID) >> 24; }
bool apic_is_x2apic(void) { return x2apic; }
void apic_eoi(void) { write(REG_EOI, 0); }

static void send(u32 target, u32 command) {
  if (x2apic) {
    wrmsr(MSR_X2APIC + REG_ICR / 16, (u64)target << 32 | command);
    return;
  }
  write(REG_ICR_HIGH, target << 24);
  write(REG_ICR, command);
  while (read(REG_ICR) & ICR_BUSY) pause();
}

void apic_send(u32 target, u8 vector) { send(target, ICR_FIXED | vector); }
void apic_send_smi(u32 target) { send(target, ICR_SMI); }
void apic_send_init(u32 target) { send(target, ICR_INIT); }
void apic_send_startup(u32 target, u8 page) { send(target, ICR_STARTUP | page); }

static void ioapic_write(u64 base, u32 index, u32 value) {
  volatile u32 *chip = pointer_to(base);
  chip[IOAPIC_SELECT / 4] = index;
  chip[IOAPIC_WINDOW / 4] = value;
}

void ioapic_route(u64 base, u32 pin, u8 vector, u32 target, bool level) {
  ioapic_write(base, IOAPIC_REDIRECTION(pin) + 1, target << 24);
  ioapic_write(base, IOAPIC_REDIRECTION(pin), vector | (level ? REDIRECTION_LEVEL_LOW : 0));
}

void ioapic_mask(u64 base, u32 pin) { ioapic_write(base, IOAPIC_REDIRECTION(pin), REDIRECTION_MASKED); }
