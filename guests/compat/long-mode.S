/*
 * A 32-bit guest's excursions into 64-bit mode, over an identity map of the low 4 GiB. Once there it never leaves long mode:
 * it goes on in compatibility mode, where paging is on and 32-bit code runs as before.
 */
#include "../lib/boot-parts.h"

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
  long_mode_on
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
  identity_map
  .section .note.GNU-stack, "", @progbits
