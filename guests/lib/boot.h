/*
 * How a guest of ours is entered, and what the loader told it.
 *
 * [PVH] xen.git docs/misc/pvh.pandoc; public/arch-x86/hvm/start_info.h
 * [MB]  Multiboot Specification 0.6.96, sections 3.2 and 3.3
 */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#define PVH_START_MAGIC 0x336ec578 /* "xEn3" with the top bit of the E set */
#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_BOOT_MAGIC 0x2badb002
#define XEN_ELFNOTE_PHYS32_ENTRY 18

/* Selectors of the boot GDT. */
#define CODE32 0x08
#define DATA 0x10
#define CODE64 0x18

/* Where application processors start: a page below 1 MiB that no firmware of ours uses. */
#define TRAMPOLINE_BASE 0x8000

#define BOOT_STACK_SIZE 16384

#ifndef __ASSEMBLER__

#include "types.h"

/* [PVH] struct hvm_start_info. */
struct start_info {
  u32 magic, version, flags, nr_modules;
  u64 modlist_paddr, cmdline_paddr, rsdp_paddr;
  /* From version 1 on. */
  u64 memmap_paddr;
  u32 memmap_entries, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info");

struct hvm_modlist_entry {
  u64 paddr, size, cmdline_paddr, reserved;
};
struct hvm_memmap_entry {
  u64 addr, size;
  u32 type, reserved;
};

/* [MB] 3.3: the part of the boot information that is used here. */
struct multiboot_info {
  u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
  u32 symbols[4], mmap_length, mmap_addr;
};
#define MULTIBOOT_INFO_CMDLINE (1u << 2)

enum boot_protocol { BOOT_PVH, BOOT_MULTIBOOT, BOOT_UNKNOWN };

struct boot_info {
  enum boot_protocol protocol;
  /* NUL-terminated, never NULL. */
  const char *command_line;
  /* Physical address of the ACPI RSDP, or 0 when the loader did not say. */
  u64 rsdp;
  u32 modules;
  /* struct start_info or struct multiboot_info, by the protocol. */
  const void *from_loader;
};

/* Each guest's own entry, on the boot CPU: long mode, interrupts off, 16 KiB of stack. */
void guest_main(const struct boot_info *boot);

/* True when `word` stands alone on the command line. */
bool boot_flag(const struct boot_info *boot, const char *word);
/* The number after `name=` on the command line, or `otherwise`. */
u64 boot_number(const struct boot_info *boot, const char *name, u64 otherwise);
/* True when `item` is one of the words after `name=`, which commas separate. */
bool boot_listed(const struct boot_info *boot, const char *name, const char *item);

#endif
#endif
