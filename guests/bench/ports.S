/*
 * The twin of firmware.S for a monitor that boots kernels: the same loop in 32-bit protected mode, entered by PVH.
 * Parameters, found by their magic: port-loop.h.
 */
#define PARAMETER(name) name
#include "port-loop.h"

  .section .text.boot, "ax"
  .code32
  .globl pvh_entry
pvh_entry:
  cli
  port_loop

  .section .data
  .balign 16
  port_parameters
  .section .note.GNU-stack, "", @progbits
