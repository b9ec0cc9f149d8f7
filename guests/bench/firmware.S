/*
 * A 64 KiB firmware image that does nothing but exits: the fixed workload for measuring what one port access costs under
 * any monitor that can run a PC firmware. Never leaves real mode nor the top of the address space, and needs no RAM.
 *
 * Parameters, at fixed offsets from the image's start, little endian, to be patched before the run:
 *   0x00  8 bytes  "XLBENCH1"
 *   0x08  u32      iterations, at least 1
 *   0x0c  u16      port
 *   0x0e  u8       0: out %al, (port)   1: in (port), %al
 *   0x0f  u8       value left in %al for the exit code
 * Ends by writing that value to the isa-debug-exit port 0xf4 (the monitor's exit code is value * 2 + 1), then halts.
 */
#define DEBUG_EXIT_PORT 0xf4
#define RESET_VECTOR 0xfff0
#define IMAGE_SIZE 0x10000

  .section .text, "ax"
  .code16
image:
  .ascii "XLBENCH1"
iterations:
  .long 200000
port:
  .word 0x80
direction:
  .byte 0
code:
  .byte 0

start:
  cli
  /* CS still has its base of 0xffff0000 from reset: parameters are reached through it. */
  movl %cs:(iterations - image), %ecx
  movw %cs:(port - image), %dx
  cmpb $0, %cs:(direction - image)
  jne read_loop
  xorb %al, %al
write_loop:
  outb %al, %dx
  decl %ecx
  jnz write_loop
  jmp done
read_loop:
  inb %dx, %al
  decl %ecx
  jnz read_loop
done:
  movb %cs:(code - image), %al
  outb %al, $DEBUG_EXIT_PORT
halt:
  hlt
  jmp halt

  .org RESET_VECTOR, 0xff
  jmp start
  .org IMAGE_SIZE, 0xff
  .section .note.GNU-stack, "", @progbits
