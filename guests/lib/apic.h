/* Local APIC, in x2APIC mode where the CPU has it, and the IOAPIC's redirection table. */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include "types.h"

/* Turns this CPU's APIC on; spurious vector VECTOR_SPURIOUS. `allow_x2apic` must be the same on every CPU. */
void apic_init(bool allow_x2apic);
/* Turns this CPU's APIC off by software, which masks LINT0, and gives what that was, for apic_on. */
u32 apic_off(void);
void apic_on(u32 lint0);
u32 apic_id(void);
bool apic_is_x2apic(void);
void apic_eoi(void);
void apic_send(u32 target, u8 vector);
void apic_send_init(u32 target);
/* A system management interrupt: `target` runs what is at its SMBASE + 0x8000. */
void apic_send_smi(u32 target);
/* Starts `target` in real mode at `page` * 4096. */
void apic_send_startup(u32 target, u8 page);

/* Redirects `pin` to `vector` on APIC `target`; level-triggered, active low, as PCI lines are, when `level`. */
void ioapic_route(u64 base, u32 pin, u8 vector, u32 target, bool level);
void ioapic_mask(u64 base, u32 pin);

#endif
