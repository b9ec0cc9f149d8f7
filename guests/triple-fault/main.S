/* Faults with no interrupt table to turn to, so that the CPU shuts down: a triple fault. */
  .section .text.boot, "ax"
  .code32
  .globl pvh_entry
pvh_entry:
  lidt no_table
  ud2
  .balign 8
no_table:
  .word 0
  .long 0
  .section .note.GNU-stack, "", @progbits
