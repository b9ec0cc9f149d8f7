/* The header that makes a kernel bootable by multiboot ([MB] 3.1, boot.h). Flavours with it are ELF32. */
#include "boot.h"

#define FLAGS 0x2 /* memory sizes wanted */

  .section .multiboot, "a", @progbits
  .balign 4
  .long MULTIBOOT_HEADER_MAGIC
  .long FLAGS
  .long -(MULTIBOOT_HEADER_MAGIC + FLAGS)
  .section .note.GNU-stack, "", @progbits
