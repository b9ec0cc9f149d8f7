/*
 * Entry of the boot CPU by PVH or multiboot: 32-bit protected mode, flat, paging off, interrupts off. Turns on long mode
 * over an identity map of the low 4 GiB and calls start(). Application processors join at enter_long_mode.
 *
 * The page tables are laid out by the assembler, not filled at run time: some hosts interpret ring 0.
 */
#include "boot.h"

#define PRESENT_WRITABLE 0x3
#define LARGE_PAGE 0x80
#define CR0_PE_WP_PG 0x80010001
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

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
  movl $DATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
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
  orl $CR0_PE_WP_PG, %eax
  movl %eax, %cr0
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

  .section .data.boot, "aw"
  .balign 4096
  .globl pml4
pml4:
  .quad pdpt + PRESENT_WRITABLE
  .fill 511, 8, 0
pdpt:
  .quad page_directories + 0x0000 + PRESENT_WRITABLE
  .quad page_directories + 0x1000 + PRESENT_WRITABLE
  .quad page_directories + 0x2000 + PRESENT_WRITABLE
  .quad page_directories + 0x3000 + PRESENT_WRITABLE
  .fill 508, 8, 0
page_directories:
  .set address, 0
  .rept 2048
  .quad address + PRESENT_WRITABLE + LARGE_PAGE
  .set address, address + 0x200000
  .endr

  .section .bss.boot, "aw", @nobits
  .balign 16
  .skip BOOT_STACK_SIZE
boot_stack_top:
  .section .note.GNU-stack, "", @progbits
