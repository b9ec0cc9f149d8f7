/*
 * The workload of the port benchmarks, the same instructions for a PC firmware (firmware.S) and for a kernel (ports.S).
 * The file that includes it defines PARAMETER(name) before, an operand that reaches `name`, and has the parameters, little
 * endian, to be patched into the image before the run:
 *   magic       8 bytes  "XLBENCH1"
 *   iterations  u32      at least 1
 *   port        u16
 *   direction   u8       0: out %al, (port)   1: in (port), %al   2: neither: ends with its first instructions
 *   code        u8       value left in %al for the exit code
 * Reports the TSC cycles of the whole loop to the debug console at port 0xe9, as a line of 16 hexadecimal digits. Ends by
 * writing `code` to the isa-debug-exit port 0xf4 (the monitor's exit code is code * 2 + 1), then halts.
 */
#define DEBUG_CONSOLE_PORT 0xe9
#define DEBUG_EXIT_PORT 0xf4
#define DIRECTION_NONE 2

  .macro port_parameters
  .ascii "XLBENCH1"
iterations:
  .long 200000
port:
  .word 0x80
direction:
  .byte 0
code:
  .byte 0
  .endm

  /* Needs no stack. */
  .macro port_loop
  cmpb $DIRECTION_NONE, PARAMETER(direction)
  je done
  movl PARAMETER(iterations), %ecx
  rdtsc
  movl %eax, %esi
  movl %edx, %edi
  movw PARAMETER(port), %dx
  cmpb $0, PARAMETER(direction)
  jne read_loop
  xorb %al, %al
write_loop:
  outb %al, %dx
  decl %ecx
  jnz write_loop
  jmp report
read_loop:
  inb %dx, %al
  decl %ecx
  jnz read_loop
report:
  rdtsc
  subl %esi, %eax
  sbbl %edi, %edx
  movl %eax, %esi
  movl $16, %ecx
report_loop:
  movl %edx, %eax
  shrl $28, %eax
  addb $'0', %al
  cmpb $'9', %al
  jbe digit
  addb $('a' - '9' - 1), %al
digit:
  outb %al, $DEBUG_CONSOLE_PORT
  shldl $4, %esi, %edx
  shll $4, %esi
  decl %ecx
  jnz report_loop
  movb $'\n', %al
  outb %al, $DEBUG_CONSOLE_PORT
done:
  movb PARAMETER(code), %al
  outb %al, $DEBUG_EXIT_PORT
halt:
  hlt
  jmp halt
  .endm
