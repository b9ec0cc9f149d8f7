/*
 * Entry of a 32-bit guest, by PVH or multiboot: 32-bit protected mode, flat, paging off, interrupts off. It stays so: calls
 * start() with the loader's segments replaced by ours. One processor, and no interrupt table.
 */
#include "boot.h"

  .section .text.boot, "ax"
  .code32
  .globl pvh_entry
pvh_entry:
  cli
  cld
  lgdt gdt_pointer
  ljmp $CODE32, $1f
1:
  movl $DATA, %ecx
  movl %ecx, %ds
  movl %ecx, %es
  movl %ecx, %ss
  xorl %ecx, %ecx
  movl %ecx, %fs
  movl %ecx, %gs
  movl $boot_stack_top, %esp
  xorl %ebp, %ebp
  pushl %ebx /* start info or multiboot info */
  pushl %eax /* multiboot magic, or nothing */
  call start
2:
  cli
  hlt
  jmp 2b

  .section .rodata.boot, "a"
  .balign 8
  .globl gdt
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff /* CODE32 */
  .quad 0x00cf93000000ffff /* DATA */
  .quad 0x00af9b000000ffff /* CODE64 */
gdt_end:
gdt_pointer:
  .word gdt_end - gdt - 1
  .long gdt

  .section .bss.boot, "aw", @nobits
  .balign 16
  .skip BOOT_STACK_SIZE
boot_stack_top:
  .section .note.GNU-stack, "", @progbits
