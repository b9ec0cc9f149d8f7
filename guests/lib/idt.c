/* The interrupt table and the dispatch of interrupts and exceptions (idt.h). [SDM] volume 3, 6.14. */
#include "idt.h"

#include "boot.h"
#include "console.h"
#include "x86.h"

#define VECTORS 256
#define EXCEPTIONS 32
#define STUB_SIZE 16
#define GATE_INTERRUPT 0x8e /* present, ring 0, 64-bit interrupt gate */

struct gate {
  u16 offset_low, selector;
  u8 stack, type;
  u16 offset_middle;
  u32 offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "gate");

struct fixup {
  u64 rip, target;
};

extern const u8 vector_stubs[];
extern const struct fixup extable_start[], extable_end[];

static struct gate idt[VECTORS];
static void (*handlers[VECTORS])(void);
static fault_reporter report_fault;

void idt_init(void) {
  for (u32 vector = 0; vector < VECTORS; vector++) {
    u64 entry = address_of(vector_stubs + vector * STUB_SIZE);
    idt[vector] = (struct gate){
      .offset_low = (u16)entry, .selector = CODE64, .type = GATE_INTERRUPT,
      .offset_middle = (u16)(entry >> 16), .offset_high = (u32)(entry >> 32),
    };
  }
}

void idt_load(void) {
  struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) pointer = { sizeof idt - 1, address_of(idt) };
  __asm__ volatile("lidt %0" : : "m"(pointer));
}

void set_handler(u8 vector, void (*handler)(void)) { handlers[vector] = handler; }
void set_fault_reporter(fault_reporter reporter) { report_fault = reporter; }

static bool forgiven(struct interrupt_frame *frame) {
  for (const struct fixup *fixup = extable_start; fixup < extable_end; fixup++) {
    if (fixup->rip != frame->rip) continue;
    frame->rip = fixup->target;
    return true;
  }
  return false;
}

void interrupt_entry(struct interrupt_frame *frame);
void interrupt_entry(struct interrupt_frame *frame) {
  if (frame->vector >= EXCEPTIONS || frame->vector == VECTOR_NMI) {
    if (handlers[frame->vector] != NULL) handlers[frame->vector]();
    return;
  }
  if (forgiven(frame)) return;
  if (report_fault != NULL) report_fault(frame);
  print("exception %lu, error 0x%lx, at 0x%lx, cr2 0x%lx\n", frame->vector, frame->error, frame->rip, read_cr2());
  finish(1);
}

/* `instruction` at 1:, followed by the label where a fault lands. */
#define FORGIVING(instruction) \
  "1: " instruction "\n\txorl %[faulted], %[faulted]\n2:\n" \
  "\t.pushsection .extable, \"a\"\n\t.quad 1b, 2b\n\t.popsection\n"

bool try_rdmsr(u32 index, u64 *value) {
  u32 low = 0, high = 0, faulted = 1;
  __asm__ volatile(FORGIVING("rdmsr") : "+a"(low), "+d"(high), [faulted] "+r"(faulted) : "c"(index) : "memory", "cc");
  *value = (u64)high << 32 | low;
  return faulted == 0;
}

bool try_wrmsr(u32 index, u64 value) {
  u32 faulted = 1;
  __asm__ volatile(FORGIVING("wrmsr")
                   : [faulted] "+r"(faulted)
                   : "c"(index), "a"((u32)value), "d"((u32)(value >> 32))
                   : "memory", "cc");
  return faulted == 0;
}
