/**
 * Images that go bad under a guest that uses them: it sees the drive's error, and machine and guest go on.
 *
 * [ATA-6] 7.9 error register: UNC is 0x40; [MMC] sense key 3: medium error
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { IDE_BOOT_CD, IDE_BOOT_DATA, IDE_BOOT_SUMS } from "../support/ide-boot-image.js";
import { ideMachine, order } from "../support/ide-service.js";
import { machines } from "../support/machines.js";
import { COMPILED, guestImage } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { cannotRun } from "../support/cannot-run.js";

const MIB = 2 ** 20;
/** Where the guest reads and writes. */
const DATA_AT = MIB;
const SIZE = 2 * MIB;
const { data, cd } = IDE_BOOT_SUMS;

function image(bytes: Uint8Array): Buffer {
  const disk = Buffer.alloc(SIZE);
  disk.set(bytes, DATA_AT);
  return disk;
}

describe("An image that goes bad under an IDE drive", function () {
  this.timeout(30_000);
  const { create } = machines();
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "ide-service.elf");
  });

  it("is a disk with bad sectors while it is too short (I18), and a good one again afterwards", async () => {
    const path = folder.file("shrinks.img", image(IDE_BOOT_DATA));
    const running = await create(ideMachine({ path }, undefined));
    await running.machine.start();
    assert.deepEqual(await order(running, "r"), [`pio: ${data}`, `dma: ${data}`]);
    // In the middle of what is read.
    truncateSync(path, DATA_AT + IDE_BOOT_DATA.length / 2);
    assert.deepEqual(await order(running, "r"), ["pio: error 0x40", "dma: error 0x40"]);
    truncateSync(path, 0);
    assert.deepEqual(await order(running, "r"), ["pio: error 0x40", "dma: error 0x40"]);
    writeFileSync(path, image(IDE_BOOT_DATA));
    assert.deepEqual(await order(running, "r"), [`pio: ${data}`, `dma: ${data}`]);
    assert.equal(running.machine.status(), "running");
  });

  it("grows under a guest's writes, where it was cut", async () => {
    const path = folder.file("grows.img", image(IDE_BOOT_DATA));
    const running = await create(ideMachine({ path }, undefined));
    await running.machine.start();
    await order(running, "r");
    truncateSync(path, MIB / 2);
    assert.deepEqual(await order(running, "w"), ["write: done", "flush: done"]);
    assert.deepEqual(await order(running, "r"), [`pio: ${data}`, `dma: ${data}`]);
  });

  it("is a disk all the same after its name has gone", async () => {
    const path = folder.file("nameless.img", image(IDE_BOOT_DATA));
    const running = await create(ideMachine({ path }, undefined));
    await running.machine.start();
    rmSync(path);
    assert.deepEqual(await order(running, "r"), [`pio: ${data}`, `dma: ${data}`]);
  });

  it("is a disc that cannot be read while it is too short (I18), and another one can be put in", async () => {
    const path = folder.file("shrinks.iso", IDE_BOOT_CD);
    const running = await create(ideMachine(undefined, { path }));
    const { machine } = running;
    await machine.start();
    truncateSync(path, 4096);
    assert.deepEqual(await order(running, "c"), ["cd: sense 3"]);
    await machine.changeMedium("cd", folder.file("whole.iso", IDE_BOOT_CD));
    assert.deepEqual(await order(running, "c"), [`cd: ${cd}`]);
  });

  it("is written in part, and says so, when the host lets files grow no further (I18)", async () => {
    const path = folder.file("limited.img", image(new Uint8Array()));
    // Half of what is written stays below it. It comes once the machine is there, whose shared memory it would not let be.
    const limit = DATA_AT + IDE_BOOT_DATA.length / 2;
    const { code, text } = await launch([], path, "wrq", (pid) => {
      execFileSync("prlimit", ["--pid", String(pid), `--fsize=${limit}`]);
    });
    assert.match(text, /ide-boot: write: error 0x40\n/);
    assert.match(text, /ide-boot: flush: done\n/);
    assert.match(text, /ide-boot: pio: [0-9a-f]{8}\n/);
    assert.equal(code, 0);
  });

  it("is written until the host's disk is full, and says so (I18)", async function () {
    if (spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status !== 0) {
      cannotRun(this, "no file system can be mounted, to be full");
    }
    // A hole of the image's size, where there is room for the other file alone.
    const prepare = `mount -t tmpfs -o size=64k none /mnt && truncate -s ${SIZE} /mnt/d && head -c 56K /dev/zero > /mnt/rest`;
    const command = ["unshare", "-rm", "sh", "-c", `${prepare} && exec "$0" "$@"`];
    const { code, text } = await launch(command, "/mnt/d", "wrq");
    assert.match(text, /ide-boot: write: error 0x40\n/);
    assert.match(text, /ide-boot: pio: [0-9a-f]{8}\n/);
    assert.equal(code, 0);
  });

  /** The launcher under a command that limits it, if any, with the orders as its terminal's input once `limited` is done. */
  async function launch(
    command: readonly string[],
    disk: string,
    orders: string,
    limited?: (pid: number) => void,
  ): Promise<{ readonly code: number | null; readonly text: string }> {
    const drive = `file=${disk},if=ide,index=0,format=raw,file.locking=off`;
    const options = `--accel kvm,xen-version=0x4000a,xen-transport=userspace -m 32 --display none --serial stdio`;
    const line = [...options.split(" "), "--drive", drive, "--kernel", guestImage("ide-service.elf")];
    const launcher = [process.execPath, join(COMPILED, "cli", "main.js")];
    const [program, ...words] = [...command, ...launcher, ...line, "--append", "serial"];
    const child = spawn(program, words, { stdio: "pipe" });
    let text = "";
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    child.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.stdout.on("data", (chunk: Buffer) => {
      const before = text;
      text += chunk.toString().replaceAll("\r", "");
      if (!text.includes("serves\n") || before.includes("serves\n")) return;
      if (child.pid !== undefined) limited?.(child.pid);
      child.stdin.write(orders);
    });
    return { code: await ended, text };
  }
});
