/*
 * Text output of our guests. Goes to the PV console once console_connect has found one, before that (and where there is
 * none) to Xen's own console by CONSOLEIO_write; and to COM1 as well when the command line says `serial`.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include "boot.h"

void console_init(const struct boot_info *boot);
/* Takes the PV console from HVM_PARAM_CONSOLE_*. False when the machine has none. */
bool console_connect(void);
/* The ring and its event channel; NULL and 0 before console_connect. */
struct xencons_interface *console_ring(void);
u32 console_port(void);

void print(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
/* Waits until the other side has taken everything written so far, within about two seconds. */
void console_flush(void);

/* Power-off by Xen; by isa-debug-exit with `code` before that when the command line says `debug-exit`. */
NORETURN void finish(u8 code);

#endif
