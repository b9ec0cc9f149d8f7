/* The ELF note that makes a kernel bootable by the PVH protocol ([PVH], boot.h). Left out of multiboot flavours. */
#include "boot.h"

/* An address of the kernel's own width. */
#ifdef __x86_64__
#define ADDRESS .quad
#define ADDRESS_SIZE 8
#else
#define ADDRESS .long
#define ADDRESS_SIZE 4
#endif

  .section .note.pvh, "a", @note
  .balign 4
  .long 4 /* namesz */
  .long ADDRESS_SIZE
  .long XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  ADDRESS pvh_entry
  .section .note.GNU-stack, "", @progbits
