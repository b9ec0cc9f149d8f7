/*
 * Entry of a 32-bit guest, by PVH or multiboot: 32-bit protected mode, flat, paging off, interrupts off. It stays so: calls
 * start() with the loader's segments replaced by ours. One processor, and no interrupt table.
 */
#include "boot-parts.h"

  .section .text.boot, "ax"
  .code32
  .globl pvh_entry
pvh_entry:
  cli
  cld
  lgdt gdt_pointer
  ljmp $CODE32, $1f
1:
  flat_segments
  movl $boot_stack_top, %esp
  xorl %ebp, %ebp
  pushl %ebx /* start info or multiboot info */
  pushl %eax /* multiboot magic, or nothing */
  call start
2:
  cli
  hlt
  jmp 2b

  boot_gdt

  boot_stack
  .section .note.GNU-stack, "", @progbits
