/* The smallest kernel that speaks Xen: says hello on Xen's console and powers off. */
#include "../lib/console.h"
#include "../lib/hypercall.h"

void guest_main(const struct boot_info *boot) {
  console_init(boot);
  if (!xen_init()) {
    print("no Xen here\n");
    finish(1);
  }
  print("Hello from a Xen guest: %s\n", boot->command_line);
  finish(0);
}
