/*
 * What the entries of 64-bit and of 32-bit guests, and the latter's excursions into 64-bit mode, have in common. Assembler
 * macros, to be assembled for either.
 *
 * The page tables are laid out by the assembler, not filled at run time: some hosts interpret ring 0.
 */
#pragma once
#include "boot.h"

#define PRESENT_WRITABLE 0x3
#define LARGE_PAGE 0x80
#define CR0_PE 0x1
#define CR0_WP_PG 0x80010000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

/* Flat data in all segment registers. Changes %ecx. */
.macro flat_segments
  movl $DATA, %ecx
  movl %ecx, %ds
  movl %ecx, %es
  movl %ecx, %ss
  xorl %ecx, %ecx
  movl %ecx, %fs
  movl %ecx, %gs
.endm

/* From 32-bit protected mode into long mode; a jump to CODE64 is to follow. Changes %eax, %ecx and %edx. */
.macro long_mode_on
  movl %cr4, %eax
  orl $CR4_PAE, %eax
  movl %eax, %cr4
  movl $pml4, %eax
  movl %eax, %cr3
  movl $MSR_EFER, %ecx
  rdmsr
  orl $EFER_LME, %eax
  wrmsr
  movl %cr0, %eax
  orl $(CR0_PE | CR0_WP_PG), %eax
  movl %eax, %cr0
.endm

/* The descriptors behind CODE32, DATA and CODE64. */
.macro boot_gdt
  .section .rodata.boot, "a"
  .balign 8
  .globl gdt
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff /* CODE32 */
  .quad 0x00cf93000000ffff /* DATA */
  .quad 0x00af9b000000ffff /* CODE64 */
gdt_end:
  .globl gdt_pointer
gdt_pointer:
  .word gdt_end - gdt - 1
  .long gdt
  .long 0 /* so that it also serves a 64-bit lgdt */
.endm

/* An identity map of the low 4 GiB, by pages of 2 MiB. */
.macro identity_map
  .balign 4096
pml4:
  .long pdpt + PRESENT_WRITABLE, 0
  .fill 511, 8, 0
pdpt:
  .long page_directories + 0x0000 + PRESENT_WRITABLE, 0
  .long page_directories + 0x1000 + PRESENT_WRITABLE, 0
  .long page_directories + 0x2000 + PRESENT_WRITABLE, 0
  .long page_directories + 0x3000 + PRESENT_WRITABLE, 0
  .fill 508, 8, 0
page_directories:
  .set address, 0
  .rept 2048
  .long address + PRESENT_WRITABLE + LARGE_PAGE, 0
  .set address, address + 0x200000
  .endr
.endm

.macro boot_stack
  .section .bss.boot, "aw", @nobits
  .balign 16
  .skip BOOT_STACK_SIZE
boot_stack_top:
.endm
