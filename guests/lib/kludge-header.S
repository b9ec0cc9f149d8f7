/*
 * A multiboot header with addresses ([MB] 3.1.3, the "a.out kludge"): the kernel is no ELF file but bytes that go to the
 * address of the first of them. What lies in .bss is not in the file.
 */
#include "boot.h"

#define FLAGS 0x10003 /* modules on page boundaries, memory sizes wanted, addresses are there */

  .section .multiboot, "a", @progbits
  .balign 4
header:
  .long MULTIBOOT_HEADER_MAGIC
  .long FLAGS
  .long -(MULTIBOOT_HEADER_MAGIC + FLAGS)
  .long header
  .long header /* load address: the header leads */
  .long 0 /* load end address: the end of the file */
  .long guest_end
  .long pvh_entry
  .section .note.GNU-stack, "", @progbits
