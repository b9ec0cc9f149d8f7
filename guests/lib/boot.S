/*
 * Entry of the boot CPU by PVH or multiboot: 32-bit protected mode, flat, paging off, interrupts off. Turns on long mode
 * over an identity map of the low 4 GiB and calls start(). Application processors join at enter_long_mode.
 */
#include "boot-parts.h"

  .section .text.boot, "ax"
  .code32
  .globl pvh_entry
pvh_entry:
  cli
  cld
  movl %eax, %esi /* multiboot magic, or nothing */
  movl %ebx, %ebp /* start info or multiboot info */
  movl $start64, %edi
  lgdt gdt_pointer
  ljmp $CODE32, $enter_long_mode

/* Goes on at %edi in 64-bit mode. Keeps %esi and %ebp. */
  .globl enter_long_mode
enter_long_mode:
  flat_segments
  long_mode_on
  ljmp $CODE64, $1f
  .code64
1:
  movl %edi, %edi /* the upper half is undefined after the switch */
  jmp *%rdi

start64:
  movq $boot_stack_top, %rsp
  movl %esi, %edi
  movl %ebp, %esi
  xorl %ebp, %ebp
  call start
2:
  cli
  hlt
  jmp 2b

  boot_gdt

  .section .data.boot, "aw"
  .globl pml4
  identity_map

  boot_stack
  .section .note.GNU-stack, "", @progbits
