/* hvm_op and HVM parameters: [HVM] public/hvm/hvm_op.h, params.h. */
#include "check.h"

#include "../lib/clock.h"
#include "../lib/events.h"
#include "../lib/hypercall.h"

CHECK(params, "hvm", "the guest finds its xenstore ring") {
  u64 frame = 0, port = 0;
  EXPECT_EQ(hvm_get_param(HVM_PARAM_STORE_PFN, &frame), 0);
  EXPECT_EQ(hvm_get_param(HVM_PARAM_STORE_EVTCHN, &port), 0);
  EXPECT(frame != 0 && port != 0 && port < EVTCHN_2L_NR_CHANNELS, "frame 0x%lx, port %lu", frame, port);
}

CHECK(params_bad, "hvm", "parameters that do not exist or are not the guest's are refused") {
  u64 value;
  struct xen_hvm_param param = { .domid = 1234, .index = HVM_PARAM_STORE_PFN };
  EXPECT_EQ(hvm_get_param(HVM_NR_PARAMS, &value), -EINVAL);
  EXPECT_EQ(hvm_get_param(0xffffffff, &value), -EINVAL);
  EXPECT_EQ(hvm_set_param(HVM_NR_PARAMS, 1), -EINVAL);
  EXPECT_EQ(hvm_set_param(HVM_PARAM_STORE_PFN, 1), -EPERM);
  EXPECT_EQ(hvm_op(HVMOP_get_param, &param), -ESRCH);
  EXPECT_EQ(hvm_op(HVMOP_get_param, NON_CANONICAL), -EFAULT);
  EXPECT_EQ(hvm_op(HVMOP_set_param, probe(PROBE_HOLE, 0)), -EFAULT);
}

CHECK(callback_param, "hvm", "the callback parameter reads back as it was set") {
  u64 value = ~0ull;
  REQUIRE_EQ(hvm_set_param(HVM_PARAM_CALLBACK_IRQ, 0), 0);
  REQUIRE_EQ(hvm_get_param(HVM_PARAM_CALLBACK_IRQ, &value), 0);
  EXPECT_EQ(value, 0);
}

CHECK(upcall_vector_bad, "hvm", "bad upcall vectors and vCPUs are refused") {
  struct xen_hvm_evtchn_upcall_vector upcall = { .vcpu = cpus[0].xen_id, .vector = 0x0f };
  EXPECT_EQ(hvm_op(HVMOP_set_evtchn_upcall_vector, &upcall), -EINVAL);
  upcall = (struct xen_hvm_evtchn_upcall_vector){ .vcpu = 4096, .vector = 0x40 };
  long result = hvm_op(HVMOP_set_evtchn_upcall_vector, &upcall);
  EXPECT(result == -EINVAL || result == -ENOENT, "vCPU 4096 gives %ld%s", result, error_name(result));
  EXPECT_EQ(hvm_op(HVMOP_set_evtchn_upcall_vector, NON_CANONICAL), -EFAULT);
}

CHECK(pagetable_dying, "hvm", "pagetable_dying, which Linux probes, is of no use where paging is nested") {
  static struct { u16 domid, pad[3]; u64 gpa; } argument = { .domid = DOMID_SELF };
  EXPECT_EQ(hvm_op(HVMOP_pagetable_dying, &argument), -EINVAL);
}

CHECK(get_time, "hvm", "get_time goes on") {
  u64 first = 0, second = 0;
  REQUIRE_EQ(hvm_op(HVMOP_get_time, &first), 0);
  REQUIRE_EQ(hvm_op(HVMOP_get_time, &second), 0);
  EXPECT(first != 0 && second >= first, "%lu, then %lu", first, second);
  EXPECT_EQ(hvm_op(HVMOP_get_time, probe(PROBE_READ_ONLY, 0)), -EFAULT);
}

CHECK(get_mem_type, "hvm", "get_mem_type tells RAM from a hole") {
  struct xen_hvm_get_mem_type type = { .domid = DOMID_SELF, .mem_type = 99, .pfn = frame_of(&upcall_vectors_set) };
  REQUIRE_EQ(hvm_op(HVMOP_get_mem_type, &type), 0);
  EXPECT_EQ(type.mem_type, HVMMEM_ram_rw);
  type = (struct xen_hvm_get_mem_type){ .domid = DOMID_SELF, .mem_type = 99, .pfn = frame_of(NO_MEMORY) };
  REQUIRE_EQ(hvm_op(HVMOP_get_mem_type, &type), 0);
  EXPECT_EQ(type.mem_type, HVMMEM_mmio_dm);
}

static u8 first_frame[PAGE_SIZE] PAGE_ALIGNED = { 1 }, second_frame[PAGE_SIZE] PAGE_ALIGNED = { 2 };

struct window_look {
  volatile u8 *window;
  u8 seen[64];
};

static void look(void *argument) {
  struct window_look *look = argument;
  look->seen[this_cpu()->index] = *look->window;
}

static void look_everywhere(struct window_look *looks) {
  look(looks);
  for (u32 i = 1; i < cpu_count; i++) {
    cpu_run(&cpus[i], look, looks);
    REQUIRE(cpu_wait(&cpus[i], 10 * SECOND), "CPU %u does not answer", i);
  }
}

CHECK(flush_tlbs, "hvm", "flush_tlbs makes a new translation count on every vCPU, and takes no mask") {
  static struct window_look looks;
  looks.window = frame_window(0, frame_of(first_frame));
  look_everywhere(&looks);
  for (u32 i = 0; i < cpu_count; i++) EXPECT_EQ(looks.seen[i], 1);
  stale_frame_window(0, frame_of(second_frame));
  REQUIRE_EQ(hvm_op(HVMOP_flush_tlbs, NULL), 0);
  look_everywhere(&looks);
  for (u32 i = 0; i < cpu_count; i++) EXPECT_EQ(looks.seen[i], 2);
  EXPECT_EQ(hvm_op(HVMOP_flush_tlbs, &looks), -EINVAL);
}

CHECK(unknown_hvm_op, "hvm", "an unknown command gives ENOSYS") {
  struct xen_hvm_param argument = { .domid = DOMID_SELF };
  EXPECT_EQ(hvm_op(99, &argument), -ENOSYS);
}
