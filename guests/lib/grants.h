/* Grant table, version 1: where its frames are, and references to give away. */
#ifndef GUEST_GRANTS_H
#define GUEST_GRANTS_H

#include "hypercall.h"

/* Frames mapped by grants_init. */
#define GRANT_FRAMES 2

/* NULL before grants_init. */
extern volatile struct grant_entry_v1 *grant_table;

/* Maps GRANT_FRAMES frames, once: into the Xen platform device's memory BAR, or over a page of RAM where there is none. */
long grants_init(void);
/* A reference by which `domid` may use the frame of `page`; 0 when none is left. */
grant_ref_t grant_page(domid_t domid, const volatile void *page, bool read_only);
/* As grant_page, of a frame by number. */
grant_ref_t grant_frame(domid_t domid, u32 frame, bool read_only);
/* True when the other side is using the grant now. */
bool grant_in_use(grant_ref_t ref);
/* Takes the grant back; false when it is in use (it then stays). */
bool grant_end(grant_ref_t ref);

#endif
