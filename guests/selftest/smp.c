/* Processors: started by INIT and SIPI, each with its own vcpu_info. */
#include "check.h"

#include "../lib/apic.h"
#include "../lib/clock.h"
#include "../lib/hypercall.h"

#define PATIENCE (20 * SECOND)

CHECK(all_started, "smp", "every processor of the MADT comes up by INIT and SIPI") {
  EXPECT(machine.acpi, "there is no MADT");
  EXPECT(machine.all_cpus_started, "CPU %u does not come up", cpu_count);
  u64 wanted = boot_number(boot_parameters, "vcpus", machine.machine.cpus);
  EXPECT(machine.machine.cpus == wanted, "the MADT has %u, not %lu", machine.machine.cpus, wanted);
  note("%u CPUs, %s", cpu_count, apic_is_x2apic() ? "x2APIC" : "xAPIC");
}

CHECK(vcpu_infos, "smp", "every vCPU registers a vcpu_info of its own, with a running clock in it") {
  for (u32 i = 0; i < cpu_count; i++) {
    EXPECT(machine.vcpu_result[i] == 0, "CPU %u gets %ld%s", i, machine.vcpu_result[i], error_name(machine.vcpu_result[i]));
    const struct vcpu_time_info *time = &cpus[i].vcpu_info->time;
    EXPECT(time->tsc_to_system_mul != 0 && !(time->version & 1), "CPU %u's clock is not set", i);
  }
}

static void read_identity(void *result) { *(u32 *)result = apic_id(); }

CHECK(identity, "smp", "work runs on the processor that it is given to") {
  for (u32 i = 1; i < cpu_count; i++) {
    u32 id = ~0u;
    cpu_run(&cpus[i], read_identity, &id);
    REQUIRE(cpu_wait(&cpus[i], PATIENCE), "CPU %u does not answer", i);
    EXPECT(id == machine.machine.apic_ids[i], "CPU %u has APIC %u, ACPI says %u", i, id, machine.machine.apic_ids[i]);
  }
}

CHECK(restart, "smp", "a processor can be stopped by INIT and started again") {
  if (cpu_count < 2) return skip("there is one CPU");
  u32 starts = cpus[1].starts;
  for (u32 round = 1; round <= 3; round++) {
    REQUIRE(smp_start_one(1, PATIENCE), "CPU 1 does not come up in round %u", round);
    EXPECT_EQ(cpus[1].starts, starts + round);
  }
}
