/** Guests that suspend themselves, reset what they have with Xen, or give memory back: what goes on, and what is new. */
import assert from "node:assert/strict";
import { VmmError } from "../../shared/errors.js";
import { requireKvm } from "../support/require-kvm.js";
import { machines, smallGuest } from "../support/machines.js";
import type { Running } from "../support/machines.js";
import { guestImage } from "../support/project.js";

const MIB = 1024 * 1024;

async function suspended({ machine }: Running): Promise<void> {
  while (machine.status() === "running") await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(machine.status(), "suspended");
}

describe("a guest that suspends itself", function () {
  this.timeout(60_000);
  const { create } = machines();

  before("needs KVM", function () {
    requireKvm(this);
  });

  for (const count of [1, 2]) {
    it(`goes on with ${count} vCPUs: as it was, in a new domain, and after a soft reset`, async () => {
      const running = await create(
        smallGuest("selftest.elf", {
          boot: { kernel: guestImage("selftest.elf"), cmdline: "group=suspend serial" },
          memoryBytes: 64 * MIB,
          vcpus: { count },
        }),
      );
      const { machine, text } = running;
      await machine.start();
      await suspended(running);
      await assert.rejects(machine.pause(), /suspended/);
      await machine.resume();
      await suspended(running);
      await machine.resume({ asNewDomain: true });
      assert.deepEqual(await machine.ended, { kind: "poweroff" });
      const lines = text("serial0").split("\n");
      assert.deepEqual(
        lines.filter((line) => /^(not )?ok /.test(line)).map((line) => line.trimEnd().slice(0, 4)),
        ["ok 1", "ok 2", "ok 3"],
        text("serial0"),
      );
    });
  }

  it("can be reset, and stopped", async () => {
    const running = await create(
      smallGuest("selftest.elf", {
        boot: { kernel: guestImage("selftest.elf"), cmdline: "group=suspend serial" },
        memoryBytes: 64 * MIB,
      }),
    );
    await running.machine.start();
    await suspended(running);
    await running.machine.reset();
    assert.equal(running.machine.status(), "paused");
    await running.machine.resume();
    await suspended(running);
    await running.machine.stop();
    assert.deepEqual(await running.machine.ended, { kind: "stopped" });
  });
});

describe("Machine.suspend() and setMemoryTarget()", function () {
  this.timeout(60_000);
  const { create } = machines();

  before("needs KVM", function () {
    requireKvm(this);
  });

  it("refuse a guest whose kernel does not say that it can", async () => {
    const { machine } = await create(smallGuest("spin.elf"));
    await machine.start();
    await assert.rejects(machine.suspend(), (error: unknown) => {
      assert.ok(error instanceof VmmError);
      assert.match(error.message, /^Cannot suspend the guest: its kernel has not said that it can/);
      return true;
    });
  });

  it("refuse more memory than there is, or none", async () => {
    const { machine } = await create(smallGuest("spin.elf"));
    await machine.start();
    for (const bytes of [0, -1, Number.NaN, 33 * MIB]) {
      await assert.rejects(machine.setMemoryTarget(bytes), /^VmmError: Cannot give the guest/);
    }
    await machine.setMemoryTarget(16 * MIB);
  });
});
