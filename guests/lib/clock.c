/* The paravirtual clock: public/xen.h, struct vcpu_time_info. */
#include "clock.h"

#include "x86.h"

static u64 scale(u64 cycles, const struct vcpu_time_info *time) {
  u64 shifted = time->tsc_shift >= 0 ? cycles << time->tsc_shift : cycles >> -time->tsc_shift;
  return (u64)((unsigned __int128)shifted * time->tsc_to_system_mul >> 32);
}

/* A copy that no update has torn: the version is odd while one is under way. */
static struct vcpu_time_info read_consistent(const struct vcpu_time_info *time, u64 *tsc) {
  struct vcpu_time_info copy;
  u32 version;
  do {
    while ((version = READ_ONCE(time->version)) & 1) pause();
    __asm__ volatile("" : : : "memory");
    copy = *time;
    *tsc = rdtsc();
    __asm__ volatile("" : : : "memory");
  } while (READ_ONCE(time->version) != version);
  return copy;
}

/* A time stamp may be ahead of what this processor reads by as much as the host's processors differ. */
u64 pvclock_ns(const struct vcpu_time_info *time) {
  u64 tsc;
  struct vcpu_time_info copy = read_consistent(time, &tsc);
  return copy.system_time + (tsc > copy.tsc_timestamp ? scale(tsc - copy.tsc_timestamp, &copy) : 0);
}

u64 now_ns(void) {
  const struct vcpu_info *info = this_cpu()->vcpu_info;
  if (info == NULL || info->time.tsc_to_system_mul == 0) return rdtsc();
  return pvclock_ns(&info->time);
}

u64 tsc_to_ns(u64 cycles) {
  const struct vcpu_info *info = this_cpu()->vcpu_info;
  if (info == NULL || info->time.tsc_to_system_mul == 0) return cycles;
  return scale(cycles, &info->time);
}
