/* Spins with interrupts off for ever: pausing and stopping such a guest must work all the same. */
  .section .text.boot, "ax"
  .code32
  .globl pvh_entry
pvh_entry:
  cli
1:
  jmp 1b
  .section .note.GNU-stack, "", @progbits
