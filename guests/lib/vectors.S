/* 256 entry stubs, 16 bytes apart, that make every interrupt and exception look alike, and the way back. */
#define VECTORS_WITH_ERROR_CODE 0x60227d00 /* 8, 10-14, 17, 21, 29, 30 */

  .section .text, "ax"
  .code64
  .globl vector_stubs
  .balign 16
vector_stubs:
  .set vector, 0
  .rept 256
  .balign 16
  .set has_error_code, 0
  .if vector < 32
  .set has_error_code, (VECTORS_WITH_ERROR_CODE >> vector) & 1
  .endif
  .if !has_error_code
  pushq $0
  .endif
  pushq $vector
  jmp interrupt_common
  .set vector, vector + 1
  .endr

interrupt_common:
  cld
  pushq %rax
  pushq %rbx
  pushq %rcx
  pushq %rdx
  pushq %rsi
  pushq %rdi
  pushq %rbp
  pushq %r8
  pushq %r9
  pushq %r10
  pushq %r11
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, %rdi
  call interrupt_entry
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %r11
  popq %r10
  popq %r9
  popq %r8
  popq %rbp
  popq %rdi
  popq %rsi
  popq %rdx
  popq %rcx
  popq %rbx
  popq %rax
  addq $16, %rsp
  iretq
  .section .note.GNU-stack, "", @progbits
