/* What the checks of the self-test share: what is known of the machine, and pointers that hypercalls must take or refuse. */
#ifndef SELFTEST_CHECK_H
#define SELFTEST_CHECK_H

#include "../lib/setup.h"
#include "../lib/tap.h"

/* What the machine was found to be before the checks. */
extern struct setup machine;
extern const struct boot_info *boot_parameters;
/* True once per-vCPU upcall vectors are in use. */
extern bool upcall_vectors_set;
long use_upcall_vectors(void);

/*
 * A window of pages at addresses that are not identity-mapped, for pointers that hypercalls must take or refuse. Its pages
 * lie apart in physical memory, and it starts above the 4 GiB that are identity-mapped, where a kernel's addresses are.
 */
#define PROBE_BASE 0xffff900000000000ull
enum probe_page { PROBE_FIRST, PROBE_SECOND, PROBE_HOLE, PROBE_READ_ONLY, PROBE_PAGES };
void *probe(enum probe_page page, u32 offset);
/* The page's memory where it is identity-mapped, and can be written. */
u8 *probe_backing(enum probe_page page);
/* Shows `frame`, which need not be in the identity map, at a page of its own: one of 64 slots. */
void *frame_window(u32 slot, u64 frame);
/* The same, but what processors remember of the page stays. */
void *stale_frame_window(u32 slot, u64 frame);
#define NON_CANONICAL pointer_to(0x8000000000000000ull)
/* Mapped, but nothing is there: between RAM and the chips. */
#define NO_MEMORY pointer_to(0xfe000000ull)

#endif
