/* The PV console's ring, which carries these lines, and CONSOLEIO_write. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/console.h"
#include "../lib/hypercall.h"
#include "../lib/string.h"

static char text[2048];

CHECK(ring_drains, "console", "the PV console takes more than its ring holds") {
  struct xencons_interface *ring = console_ring();
  if (ring == NULL) return skip("there is no PV console");
  while (ring->out_prod <= sizeof ring->out) note("a line to fill the console's ring: the quick brown fox jumps over it");
  console_flush();
  EXPECT(READ_ONCE(ring->out_cons) == ring->out_prod, "%u bytes are left", ring->out_prod - ring->out_cons);
}

CHECK(ring_input, "console", "the input ring is in order") {
  struct xencons_interface *ring = console_ring();
  if (ring == NULL) return skip("there is no PV console");
  EXPECT(ring->in_prod - ring->in_cons <= sizeof ring->in, "%u bytes wait", ring->in_prod - ring->in_cons);
}

CHECK(console_write, "console", "CONSOLEIO_write takes text, of any length and with any bytes") {
  EXPECT_EQ(console_io(CONSOLEIO_write, 0, text), 0);
  static const char line[] = "selftest: text for Xen's console\n";
  EXPECT_EQ(console_io(CONSOLEIO_write, sizeof line - 1, line), 0);
  static const char odd[] = "selftest: \033[31mescape, \0NUL and \001\377 bytes\n";
  EXPECT_EQ(console_io(CONSOLEIO_write, sizeof odd - 1, odd), 0);
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = '\n';
  EXPECT_EQ(console_io(CONSOLEIO_write, sizeof text, text), 0);
}

CHECK(console_bad, "console", "CONSOLEIO_write refuses absurd lengths and pointers to nowhere") {
  EXPECT(console_io(CONSOLEIO_write, 0x80000000u, text) < 0, "2^31 bytes were accepted");
  EXPECT(console_io(CONSOLEIO_write, 0xffffffffu, text) < 0, "2^32 - 1 bytes were accepted");
  EXPECT_EQ(console_io(CONSOLEIO_write, 16, NON_CANONICAL), -EFAULT);
  EXPECT_EQ(console_io(CONSOLEIO_write, 16, probe(PROBE_HOLE, 0)), -EFAULT);
  EXPECT(console_io(99, 16, text) < 0, "command 99 was accepted");
}
