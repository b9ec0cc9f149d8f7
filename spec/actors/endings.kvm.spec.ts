/** Every road by which a guest resets its machine or switches it off, on this host's KVM. */
import assert from "node:assert/strict";
import type { MachineConfig } from "../../shared/config.js";
import type { MachineEnd } from "../../actors/machine-end.js";
import { AT_UD2 } from "../support/crash-report.js";
import { machines, smallGuest } from "../support/machines.js";
import type { Running } from "../support/machines.js";
import { guestImage } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";

const RESETS = [
  "keyboard-pulse",
  "keyboard-port",
  "port92",
  "cf9-soft",
  "cf9-hard",
  "cf9-full",
  "acpi",
  "triple-fault",
  "sched-reboot",
] as const;

describe("a machine's endings", function () {
  this.timeout(60_000);
  const { create } = machines();

  before(function () {
    requireKvm(this, "endings.elf");
  });

  async function take(
    road: string,
    changes: Partial<MachineConfig> = {},
    words = "",
  ): Promise<Running & { end: MachineEnd; output: string }> {
    const boot = { kernel: guestImage("endings.elf"), cmdline: `serial road=${road} ${words}` };
    const running = await create(smallGuest("endings.elf", { boot, ...changes }));
    await running.machine.start();
    const end = await running.machine.ended;
    return { ...running, end, output: running.text("serial0") };
  }

  describe("by a reset", () => {
    for (const road of RESETS) {
      it(`the guest finds the machine of its power-on after ${road}`, async () => {
        const { end, output } = await take(road);
        assert.equal(output, "start 1\nas new\nstart 2\n");
        assert.deepEqual(end, { kind: "poweroff" });
      });
    }

    it("works again and again, with other processors running", async () => {
      const { end, output } = await take("cf9-full", { vcpus: { count: 3 } }, "busy starts=4");
      assert.equal(output, ["start 1", ...[2, 3, 4, 5].flatMap((n) => ["as new", `start ${n}`]), ""].join("\n"));
      assert.deepEqual(end, { kind: "poweroff" });
    });

    it("happens when the boot processor gets INIT, from itself or another", async () => {
      for (const words of ["", "other busy"]) {
        const { end, output } = await take("init", { vcpus: { count: 3 } }, words);
        assert.equal(output, "start 1\nas new\nstart 2\n", words);
        assert.deepEqual(end, { kind: "poweroff" });
      }
    });

    it("is none when 0xcf9 is only told which kind the next one is", async () => {
      assert.equal((await take("cf9-kind-only")).output, "start 1\nstill here\n");
    });

    for (const road of RESETS.filter((name) => name !== "triple-fault")) {
      it(`ends the machine that is not to reboot, after ${road}`, async () => {
        const { end, output } = await take(road, { noReboot: true });
        assert.deepEqual(end, { kind: "reset-requested" });
        assert.equal(output, "start 1\n");
      });
    }
  });

  describe("by a triple fault", () => {
    it("warns with the report when it resets", async () => {
      const { log } = await take("triple-fault");
      const [warning, ...others] = log.filter(({ level }) => level === "warn");
      assert.match(warning?.message ?? "", /^reset by the guest's triple fault: /);
      assert.match(warning?.message ?? "", AT_UD2);
      assert.deepEqual(others, []);
    });

    it("stops and resets the other processors too, whichever it happens on", async () => {
      for (const words of ["busy", "busy other"]) {
        const { end, output } = await take("triple-fault", { vcpus: { count: 3 } }, words);
        assert.equal(output, "start 1\nas new\nstart 2\n", words);
        assert.deepEqual(end, { kind: "poweroff" });
      }
    });

    it("ends as a crash, with the report, when the next one comes within 5 s of guest time", async () => {
      const { end, output, log } = await take("triple-fault", {}, "starts=2");
      assert.equal(output, "start 1\nas new\nstart 2\n");
      assert(end.kind === "crash");
      assert.match(end.report, /^triple fault: /);
      assert.match(end.report, AT_UD2);
      assert.equal(log.filter(({ level }) => level === "warn").length, 1);
    });

    it("ends as a crash at once when the machine is not to reboot", async () => {
      const { end, output } = await take("triple-fault", { noReboot: true });
      assert.equal(output, "start 1\n");
      assert.equal(end.kind, "crash");
    });
  });

  it("is a crash when a processor cannot enter SMM; a KVM without SMM has none to enter", async () => {
    const { end, output, log } = await take("smm");
    if (output === "start 1\nstill here\n") {
      assert.deepEqual(end, { kind: "poweroff" });
      return;
    }
    assert.equal(output, "start 1\n");
    assert(end.kind === "crash", JSON.stringify(end));
    assert.match(end.report, /^KVM gave the guest up/);
    assert.deepEqual(
      log.filter(({ level }) => level === "error"),
      [],
    );
  });

  describe("by switching off", () => {
    for (const road of ["s5", "sched-poweroff"]) {
      it(`the guest powers off by ${road}`, async () => {
        const { end, output } = await take(road, { noReboot: true });
        assert.deepEqual(end, { kind: "poweroff" });
        assert.equal(output, "start 1\n");
      });
    }
  });
});
