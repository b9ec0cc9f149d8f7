/* The boot guest's interactive part as a kernel of its own, for machines that start without firmware. */
#include "../lib/console.h"
#include "../lib/hypercall.h"
#include "drives.h"
#include "service.h"

void guest_main(const struct boot_info *boot) {
  console_init(boot);
  xen_init();
  find_drives();
  serve(first_drive(ATA_DISK), first_drive(ATA_PACKET));
  finish(0);
}
