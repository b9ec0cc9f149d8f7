/** Who makes the calls for an IDE disk: the guest of guests/ide-boot reads it by INT 13h, PIO and DMA. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { setEnvironmentData } from "node:worker_threads";
import { CALLS, callIndex, FAULTS } from "../../actors/host/faults.js";
import type { FaultPlan, PlannedFault } from "../../actors/host/faults.js";
import type { DiskConfig } from "../../shared/config.js";
import { cannotRun } from "../support/cannot-run.js";
import { IDE_BOOT_SUMS, writeIdeBootDisk } from "../support/ide-boot-image.js";
import { machines } from "../support/machines.js";
import { requireFirmware } from "../support/require-firmware.js";
import { requireKvm } from "../support/require-kvm.js";

const MIB = 2 ** 20;
const BOOT_MS = 120_000;
/** <linux/magic.h> */
const TMPFS_MAGIC = 0x0102_1994;
const THREADS = ["vcpu0", "disk0"];
const EAGAIN = 11;

describe("An IDE disk that the host has in memory", function () {
  this.timeout(BOOT_MS);
  const { create } = machines();
  let folder: string | undefined;

  before(function () {
    requireKvm(this, "ide-boot.img");
    requireFirmware(this);
    assert.equal(statfsSync("/dev/shm").type, TMPFS_MAGIC);
    folder = mkdtempSync("/dev/shm/xenolith-spec-");
  });
  afterEach(() => {
    setEnvironmentData(FAULTS, null as never);
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });

  /** Boots, reads, and gives how often a thread made a call. */
  async function boot(
    cache: NonNullable<DiskConfig["cache"]>,
    fault?: PlannedFault,
  ): Promise<(thread: string, call: string) => number> {
    const counts = new Int32Array(new SharedArrayBuffer(THREADS.length * CALLS.length * 4));
    const plan: FaultPlan = { threads: THREADS, counts, fault };
    setEnvironmentData(FAULTS, plan);
    const path = `${folder ?? ""}/disk.img`;
    writeIdeBootDisk(path, { bytes: 2 * MIB, commandLine: "unplug=0" });
    const { machine, text } = await create({
      memoryBytes: 64 * MIB,
      accel: { xenVersion: 0x4_000a, transport: "userspace" },
      boot: {},
      serials: [{ kind: "stream" }],
      disks: [{ path, cache, attach: { kind: "ide", channel: 0, unit: 0 } }],
    });
    await machine.start();
    assert.deepEqual(await machine.ended, { kind: "poweroff" });
    for (const how of ["int 13h lba", "pio lba28", "dma lba28"]) {
      assert(text("serial0").includes(`${how}: ${IDE_BOOT_SUMS.data}`), text("serial0"));
    }
    return (thread, call) => counts[callIndex(plan, thread, call)] ?? 0;
  }

  it("is read by the vCPU itself, and written by its actor", async () => {
    const count = await boot("writeback");
    assert(count("vcpu0", "preadv2") > 10);
    assert.deepEqual([count("vcpu0", "pwritev"), count("disk0", "preadv"), count("disk0", "preadv2")], [0, 0, 0]);
    assert(count("disk0", "pwritev") > 0);
  });

  it("is read by its actor where the host would have to wait", async () => {
    const always = { thread: "vcpu0", call: "preadv2", nth: 1, times: Infinity } as const;
    const count = await boot("writeback", { ...always, fault: { kind: "errno", errno: EAGAIN } });
    assert(count("vcpu0", "preadv2") > 10);
    assert.equal(count("disk0", "preadv"), count("vcpu0", "preadv2"));
  });

  it("is read by its actor where reads go past the page cache", async function () {
    const count = await boot("none").catch((cause: unknown) => {
      // tmpfs takes O_DIRECT since Linux 6.6.
      if (cause instanceof Error && /EINVAL/.test(cause.message)) {
        cannotRun(this, "tmpfs does not take O_DIRECT before Linux 6.6", cause);
      }
      throw cause;
    });
    assert.equal(count("vcpu0", "preadv2"), 0);
    assert(count("disk0", "preadv") > 10);
  });
});
