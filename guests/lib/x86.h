/* Instructions that C has no words for. */
#ifndef GUEST_X86_H
#define GUEST_X86_H

#include "types.h"

struct cpuid_result {
  u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(u32 leaf, u32 subleaf) {
  struct cpuid_result r;
  __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline void outw(u16 port, u16 value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline void outl(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory"); }

static inline u8 inb(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

static inline u16 inw(u16 port) {
  u16 value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

static inline u32 inl(u16 port) {
  u32 value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

static inline u64 rdmsr(u32 index) {
  u32 low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
  return (u64)high << 32 | low;
}

static inline void wrmsr(u32 index, u64 value) {
  __asm__ volatile("wrmsr" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u64 rdtsc(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (u64)high << 32 | low;
}

static inline u64 read_cr3(void) {
  u64 value;
  __asm__ volatile("movq %%cr3, %0" : "=r"(value));
  return value;
}
static inline u64 read_cr2(void) {
  u64 value;
  __asm__ volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}

static inline void invlpg(u64 address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }
/* All earlier loads and stores before all later ones. Not mfence: hosts that interpret ring 0 may lack it. */
static inline void full_barrier(void) { __asm__ volatile("lock; orl $0, (%%rsp)" : : : "memory", "cc"); }
static inline void pause(void) { __asm__ volatile("pause" : : : "memory"); }
static inline void interrupts_on(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void interrupts_off(void) { __asm__ volatile("cli" : : : "memory"); }
/* Opens interrupts and halts; no interrupt can slip in between, so a wake-up is never lost. */
static inline void interrupts_on_and_halt(void) { __asm__ volatile("sti; hlt" : : : "memory"); }

static inline NORETURN void halt_forever(void) {
  for (;;) __asm__ volatile("cli; hlt" : : : "memory");
}

#endif
