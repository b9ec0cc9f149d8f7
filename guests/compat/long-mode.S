/*
 * A 32-bit guest's excursions into 64-bit mode, over an identity map of the low 4 GiB. Once there it never leaves long mode:
 * it goes on in compatibility mode, where paging is on and 32-bit code runs as before.
 */
#include "../lib/boot.h"

#define PRESENT_WRITABLE 0x3
#define LARGE_PAGE 0x80
#define CR0_PG_WP 0x80010000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define XEN_VERSION 17
#define STUB_SIZE 32

  .text
  .code32
/* void in_long_mode(const void *work) */
  .globl in_long_mode
in_long_mode:
  pushl %ebp
  pushl %ebx
  pushl %esi
  pushl %edi
  movl 20(%esp), %esi
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
  orl $CR0_PG_WP, %eax
  movl %eax, %cr0
  ljmp $CODE64, $1f
  .code64
1:
  movl %esp, %esp /* upper halves are undefined after the switch */
  movl %esi, %esi
  call *%rsi
  ljmp *back(%rip)
  .code32
2:
  popl %edi
  popl %esi
  popl %ebx
  popl %ebp
  ret

/* Writes the hypercall page's address to the MSR long_mode_argument, as xen_init does in 32-bit mode. */
  .code64
  .globl write_hypercall_msr_64
write_hypercall_msr_64:
  movl long_mode_argument(%rip), %ecx
  movl $hypercall_page, %eax
  xorl %edx, %edx
  wrmsr
  ret

/* Asks for Xen's version; the arguments' registers are those of 64-bit code. */
  .globl ask_version_64
ask_version_64:
  xorl %edi, %edi
  xorl %esi, %esi
  movl $hypercall_page + XEN_VERSION * STUB_SIZE, %eax
  call *%rax
  movl %eax, long_mode_result(%rip)
  ret

  .section .rodata
  .balign 8
back:
  .long 2b
  .word CODE32

  .bss
  .balign 4
  .globl long_mode_argument, long_mode_result
long_mode_argument:
  .skip 4
long_mode_result:
  .skip 4

  .data
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
  .section .note.GNU-stack, "", @progbits
