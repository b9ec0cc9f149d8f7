/*
 * When Xen takes the guest for one of 64 bits or of 32: by the mode in which it writes the hypercall MSR, and in which it
 * sets HVM_PARAM_CALLBACK_IRQ. No other hypercall changes it. (xen.git xen/arch/x86/hvm/hvm.c, hvm_latch_shinfo_size)
 */
#include "compat.h"

#include "../lib/x86.h"

static volatile u32 *word_at(u32 offset) { return (volatile u32 *)((u8 *)shared_info + offset); }

/* Seconds of the wall clock, where a 64-bit guest and where a 32-bit guest looks for them. */
static u32 seconds_64(void) { return word_at(WALLCLOCK_64)[1]; }
static u32 seconds_32(void) { return shared_info->wc_sec; }

static void forget_wallclocks(void) {
  word_at(WALLCLOCK_64)[1] = 0;
  shared_info->wc_sec = 0;
}

static void latch_64(void) {
  long_mode_argument = cpuid(xen_cpuid_base() + 2, 0).ebx;
  in_long_mode(write_hypercall_msr_64);
}

CHECK(msr_32, "latch", "the hypercall MSR, written by 32-bit code, made this a 32-bit guest") {
  EXPECT(seconds_32() != 0, "its wall clock stands at 0");
  EXPECT_EQ(evtchn_send(1024), -EINVAL);
}

CHECK(calls_64, "latch", "64-bit code makes hypercalls, and leaves the guest one of 32 bits") {
  forget_wallclocks();
  in_long_mode(ask_version_64);
  EXPECT_EQ(long_mode_result >> 16, 4);
  EXPECT(seconds_64() == 0, "the wall clock has moved");
  EXPECT_EQ(evtchn_send(1024), -EINVAL);
}

CHECK(msr_64, "latch", "the hypercall MSR, written by 64-bit code, makes it a 64-bit guest") {
  forget_wallclocks();
  latch_64();
  EXPECT(seconds_64() != 0 && seconds_32() == 0, "its wall clocks say %u and %u", seconds_32(), seconds_64());
  /* Port 1024 may be asked for: it is closed, not out of range; and masks of 32-bit words are not looked at. */
  struct evtchn_status status = { .dom = DOMID_SELF, .port = 1024, .status = 99 };
  EXPECT_EQ(evtchn_op(EVTCHNOP_status, &status), 0);
  EXPECT_EQ(status.status, EVTCHNSTAT_closed);
}

CHECK(compat_mode, "latch", "compatibility mode makes hypercalls with 32-bit layouts all the same") {
  struct vcpu_runstate_info info[2];
  info[1].state = 0x5a5a5a5a;
  EXPECT_EQ(vcpu_op(VCPUOP_get_runstate_info, 0, &info[0]), 0);
  EXPECT(info[1].state == 0x5a5a5a5a, "a runstate is more than 44 bytes");
  EXPECT_EQ(xen_version(XENVER_extraversion, LAST_WORD), -EFAULT);
}

CHECK(callback, "latch", "setting the callback from 32-bit code makes it a 32-bit guest again") {
  forget_wallclocks();
  EXPECT_EQ(hvm_set_param(HVM_PARAM_CALLBACK_IRQ, 0), 0);
  EXPECT(seconds_32() != 0 && seconds_64() == 0, "its wall clocks say %u and %u", seconds_32(), seconds_64());
  EXPECT_EQ(evtchn_send(1024), -EINVAL);
}
