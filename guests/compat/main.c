/*
 * The 32-bit guest: protected mode without paging, and compatibility mode. Checks that each structure of Xen's has its
 * 32-bit layout, and when Xen takes the guest for one of 32 bits or of 64. It reports as the self-test does.
 *
 * Command line: `serial` and `debug-exit`, as the self-test's.
 */
#include "compat.h"

#include "../lib/console.h"
#include "../lib/string.h"

static u8 shared_info_page[PAGE_SIZE] PAGE_ALIGNED;
struct shared_info *shared_info = (struct shared_info *)shared_info_page;

u32 now_ms(void) {
  u64 ns = 0;
  hvm_op(HVMOP_get_time, &ns);
  /* 64-bit division is the compiler's library's. 2^20 ns are near enough. */
  return (u32)(ns >> 20);
}

bool event_bit(volatile xen_ulong *words, evtchn_port_t port) { return words[port / 32] >> port % 32 & 1; }

void event_set_bit(volatile xen_ulong *words, evtchn_port_t port, bool on) {
  volatile u32 *word = (volatile u32 *)&words[port / 32];
  if (on) __atomic_fetch_or(word, 1u << port % 32, __ATOMIC_SEQ_CST);
  else __atomic_fetch_and(word, ~(1u << port % 32), __ATOMIC_SEQ_CST);
}

void guest_main(const struct boot_info *boot) {
  console_init(boot);
  if (!xen_init()) {
    print("Bail out! this machine is not a Xen guest\n");
    finish(1);
  }
  console_connect();
  long mapped = add_to_physmap(XENMAPSPACE_shared_info, 0, frame_of(shared_info));
  if (mapped != 0) {
    print("Bail out! shared_info cannot be mapped: %ld%s\n", mapped, error_name(mapped));
    finish(1);
  }
  memset((void *)shared_info->evtchn_mask, 0xff, sizeof shared_info->evtchn_mask);
  print("1..%u\n", (u32)(checks_end - checks_start));
  for (const struct check *check = checks_start; check < checks_end; check++) tap_run(check);
  finish(tap_end() ? 0 : 1);
}
