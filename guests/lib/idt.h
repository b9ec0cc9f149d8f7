/* Interrupts and exceptions: one table for all CPUs. */
#ifndef GUEST_IDT_H
#define GUEST_IDT_H

#include "types.h"

/* What vectors.S leaves on the stack. */
struct interrupt_frame {
  u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
  u64 vector, error;
  u64 rip, cs, rflags, rsp, ss;
};

/* Vectors in use, above the 32 exceptions. Xen refuses upcall vectors below 16. */
#define VECTOR_NMI 2
#define VECTOR_UPCALL 0x30 /* per vCPU, by the local APIC: wants an EOI */
#define VECTOR_GLOBAL 0x31 /* HVM_PARAM_CALLBACK_IRQ's vector: no EOI */
#define VECTOR_GSI 0x32    /* upcall by interrupt line, through the IOAPIC: wants an EOI */
#define VECTOR_WAKE 0x33   /* one CPU wakes another */
#define VECTOR_DEVICE 0x34 /* an emulated device's, by line or message: wants an EOI */
#define VECTOR_SPURIOUS 0xff

void idt_init(void);
/* Loads the table on this CPU. */
void idt_load(void);
void set_handler(u8 vector, void (*handler)(void));

/* Called for an exception that no table entry forgives, just before the machine is ended. */
typedef void (*fault_reporter)(const struct interrupt_frame *frame);
void set_fault_reporter(fault_reporter reporter);

/* As rdmsr and wrmsr, but false when the access faults. */
bool try_rdmsr(u32 index, u64 *value);
bool try_wrmsr(u32 index, u64 value);

#endif
