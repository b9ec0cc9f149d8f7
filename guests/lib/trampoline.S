/* Where application processors start: 16-bit code, copied below 1 MiB, that joins the boot CPU's page tables. */
#include "boot.h"

#define LOW(symbol) (TRAMPOLINE_BASE + symbol - trampoline)

  .section .text, "ax"
  .code16
  .globl trampoline, trampoline_end
trampoline:
  cli
  cld
  movw %cs, %ax
  movw %ax, %ds
  lgdtl trampoline_gdt - trampoline
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $CODE32, $LOW(1f)
  .code32
1:
join:
  movl $ap_start64, %edi
  movl $enter_long_mode, %eax
  jmp *%eax
  .balign 8
trampoline_gdt:
  .word 4 * 8 - 1
  .long gdt
trampoline_end:

/* Where VCPUOP_initialise has processors start, without descriptor tables: flat 32-bit mode, and 64-bit mode. */
  .code32
  .globl ap_context32, ap_context64
ap_context32:
  lgdtl gdt_pointer
  ljmpl $CODE32, $join

  .code64
ap_context64:
  lgdtq gdt_pointer
  movl $DATA, %eax
  movl %eax, %ss
  movl %eax, %ds
  movl %eax, %es
  pushq $CODE64
  pushq $ap_start64
  lretq

ap_start64:
  movq ap_stack, %rsp
  xorl %ebp, %ebp
  call ap_entry
1:
  cli
  hlt
  jmp 1b
  .section .note.GNU-stack, "", @progbits
