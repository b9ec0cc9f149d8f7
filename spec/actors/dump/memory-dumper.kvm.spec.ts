/** Dumps of real machines, read as debuggers do. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { VmmError } from "../../../shared/errors.js";
import { machines, smallGuest } from "../../support/machines.js";
import type { Running } from "../../support/machines.js";
import { guestImage } from "../../support/project.js";
import { requireKvm } from "../../support/require-kvm.js";
import { temporaryFolder } from "../../support/temporary.js";
import { cannotRun } from "../../support/cannot-run.js";

const MIB = 1024 * 1024;
/** Where our guests' code is linked to. */
const LOAD_ADDRESS = MIB;
/** Of the first PT_LOAD, guest-physical 0: after the headers. */
const RAM_AT = 4096;

function refusal(code: string, pattern: RegExp) {
  return (error: unknown): boolean => error instanceof VmmError && error.code === code && pattern.test(error.message);
}

describe("Machine.dumpMemory()", function () {
  this.timeout(30_000);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "spin.elf");
  });

  async function spinning(vcpus = 1): Promise<Running["machine"]> {
    const { machine } = await create(smallGuest("spin.elf", { vcpus: { count: vcpus } }));
    await machine.start();
    return machine;
  }

  it("writes memory as the guest has it, and lets the guest run on", async () => {
    const machine = await spinning();
    const path = folder.path("running.core");
    await machine.dumpMemory(path);
    assert.equal(machine.status(), "running");
    const core = readFileSync(path);
    // The kernel's code: its ELF file has it at offset 0x1000, [ELF] p_align.
    const kernel = readFileSync(guestImage("spin.elf"));
    const at = kernel.indexOf(Buffer.of(0xfa, 0xeb, 0xfe));
    assert(at > 0);
    const loaded = core.indexOf(kernel.subarray(at, at + 3), RAM_AT + LOAD_ADDRESS);
    assert(loaded > 0 && loaded < RAM_AT + LOAD_ADDRESS + 4096);
    // 32 MiB of RAM and Xen's four special pages, of which few are used.
    const { size, blocks } = statSync(path);
    assert.equal(size, RAM_AT + 32 * MIB + 4 * 4096);
    assert(blocks * 512 < MIB, `${blocks} blocks`);
  });

  it("leaves a paused machine paused, and replaces an older dump", async () => {
    const machine = await spinning();
    await machine.pause();
    const path = folder.path("paused.core");
    for (let round = 0; round < 2; round++) {
      await machine.dumpMemory(path);
      assert.equal(machine.status(), "paused");
    }
  });

  it("is what readelf takes for a core file, with the registers of each vCPU", async () => {
    const machine = await spinning(2);
    await machine.pause();
    const path = folder.path("two.core");
    await machine.dumpMemory(path);
    const { status, stdout, stderr } = spawnSync("readelf", ["-hln", path], { encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /Type: +CORE/);
    assert.equal(stdout.match(/NT_PRSTATUS/g)?.length, 2);
    assert.match(stdout, /LOAD +0x0000000000001000 0x0{16} 0x0{16}\s+0x0000000002000000 0x0000000002000000/);
    assert.match(stdout, /LOAD +0x0000000002001000 0x00000000feff8000/);
    // rip, the 16th word of the registers, is where the guest spins; `describeVcpus` says where that is.
    const rip = /rip ([0-9a-f]{16})/.exec(await machine.describeVcpus())?.[1];
    const notes = readFileSync(path).subarray(64 + 3 * 56);
    assert.equal(
      notes
        .readBigUInt64LE(20 + 112 + 16 * 8)
        .toString(16)
        .padStart(16, "0"),
      rip,
    );
  });

  it("refuses what it cannot write in one line, and leaves no file", async () => {
    const machine = await spinning();
    const nowhere = folder.path("nowhere/x.core");
    await assert.rejects(
      machine.dumpMemory(nowhere),
      refusal("HOST_SYSCALL", /^Cannot dump .*: there is no such folder$/),
    );
    await assert.rejects(machine.dumpMemory("/dev/null"), refusal("HOST_SYSCALL", /it is not a regular file$/));
    assert.equal(machine.status(), "running");
  });

  it("leaves nothing on a disk that is too small", async function () {
    const small = folder.path("small");
    mkdirSync(small);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", small]).status !== 0) {
      cannotRun(this, "a file system of 16 KiB cannot be mounted");
    }
    try {
      const machine = await spinning();
      const dumped = machine.dumpMemory(`${small}/x.core`);
      await assert.rejects(dumped, refusal("HOST_SYSCALL", /x\.core: there is no space left$/));
      assert.deepEqual(readdirSync(small), []);
      assert.equal(machine.status(), "running");
    } finally {
      spawnSync("umount", [small]);
    }
  });

  it("refuses a machine that is off, and a second dump at once", async () => {
    const { machine } = await create(smallGuest("spin.elf"));
    const path = folder.path("refused.core");
    await assert.rejects(machine.dumpMemory(path), refusal("STATE", /a machine that is stopped/));
    await machine.start();
    const first = machine.dumpMemory(path);
    await assert.rejects(machine.dumpMemory(path), refusal("STATE", /twice at once/));
    await first;
    await machine.stop();
    await assert.rejects(machine.dumpMemory(path), refusal("STATE", /a machine that is ended/));
  });

  it("gives up when the machine is disposed of meanwhile, without a trace", async () => {
    const { machine } = await create(smallGuest("spin.elf", { memoryBytes: 1024 * MIB }));
    const away = folder.path("away");
    mkdirSync(away);
    await machine.start();
    const dumped = assert.rejects(machine.dumpMemory(`${away}/x.core`), refusal("STATE", /let go while|is ended/));
    while (readdirSync(away).length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await machine[Symbol.asyncDispose]();
    await dumped;
    assert.deepEqual(readdirSync(away), []);
  });
});
