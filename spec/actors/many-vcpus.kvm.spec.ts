/** More vCPUs than shared_info has room for, on this host's KVM: each comes up, registers its vcpu_info, and takes work. */
import assert from "node:assert/strict";
import { machines, smallGuest } from "../support/machines.js";
import { guestImage } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";

describe("a machine with many vCPUs", function () {
  this.timeout(180_000);
  const { create } = machines();

  before(function () {
    requireKvm(this, "selftest.elf");
  });

  for (const count of [16, 33]) {
    it(`starts ${count}, each with a vcpu_info and a clock of its own`, async () => {
      const boot = { kernel: guestImage("selftest.elf"), cmdline: `serial group=smp vcpus=${count}` };
      const vcpus = { count };
      const running = await create(smallGuest("selftest.elf", { boot, vcpus, memoryBytes: 128 * 1024 * 1024 }));
      await running.machine.start();
      assert.deepEqual(await running.machine.ended, { kind: "poweroff" });
      const output = running.text("serial0");
      assert.match(output, new RegExp(`${count} of ${count} CPUs up`));
      assert.match(output, /# selftest passed/, output);
    });
  }
});
