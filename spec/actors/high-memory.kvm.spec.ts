/** Memory above 4 GiB with the self-test guest, on this host's KVM. The host gives pages only as they are touched. */
import assert from "node:assert/strict";
import { machines, smallGuest } from "../support/machines.js";
import { guestImage } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";

const GIB = 1024 * 1024 * 1024;
const SCRATCH_BYTES = 8 * 1024 * 1024;

describe("a guest with memory above 4 GiB", function () {
  this.timeout(60_000);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "selftest.elf");
  });

  /** The second has one block of memory that fills 4 GiB and another above it. */
  for (const gib of [5, 9]) {
    it(`finds all ${gib} GiB, and reaches them by hypercalls, PV disk, DMA and messages`, async () => {
      const path = folder.file(`scratch${gib}.img`, new Uint8Array(SCRATCH_BYTES));
      const { machine, text } = await create(
        smallGuest("selftest.elf", {
          memoryBytes: gib * GIB,
          accel: { xenVersion: 0x4_0011, transport: "userspace" },
          boot: { kernel: guestImage("selftest.elf"), cmdline: "group=high" },
          devices: [{ kind: "edu", dmaMask: 0xff_ffff_ffff }],
          disks: [{ path }],
          xenConsole: { kind: "stream" },
          noReboot: true,
        }),
      );
      const before = process.memoryUsage.rss();
      await machine.start();
      assert.deepEqual(await machine.ended, { kind: "poweroff" });
      const lines = text("xen-console").split("\n");
      const verdicts = lines.filter((line) => /^(not )?ok /.test(line));
      assert.equal(verdicts.length, 6, text("xen-console"));
      assert.deepEqual(
        verdicts.filter((line) => !line.startsWith("ok ") || line.includes("SKIP")),
        [],
      );
      assert(process.memoryUsage.rss() - before < GIB, "memory that nobody touched is not taken");
    });
  }
});
