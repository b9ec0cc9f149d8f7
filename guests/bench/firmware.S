/*
 * A 64 KiB firmware image that does nothing but exits: the fixed workload for measuring what one port access costs under
 * any monitor that can run a PC firmware. Never leaves real mode nor the top of the address space, and needs no RAM.
 *
 * Parameters, from the image's start on: port-loop.h.
 */
/* CS still has its base of 0xffff0000 from reset: parameters are reached through it. */
#define PARAMETER(name) %cs:(name - image)
#include "port-loop.h"

#define RESET_VECTOR 0xfff0
#define IMAGE_SIZE 0x10000

  .section .text, "ax"
  .code16
image:
  port_parameters

start:
  cli
  port_loop

  .org RESET_VECTOR, 0xff
  jmp start
  .org IMAGE_SIZE, 0xff
  .section .note.GNU-stack, "", @progbits
