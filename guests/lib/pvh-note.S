/* The ELF note that makes a kernel bootable by the PVH protocol ([PVH], boot.h). Left out of multiboot flavours. */
#include "boot.h"

  .section .note.pvh, "a", @note
  .balign 4
  .long 4 /* namesz */
  .long 8 /* descsz */
  .long XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .quad pvh_entry
  .section .note.GNU-stack, "", @progbits
