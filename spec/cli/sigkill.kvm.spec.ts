/** A process that is killed at any moment has on disk what its guest has flushed, and leaves nothing that holds the next one up. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { COMPILED, guestImage, PROJECT } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";

/** guests/life/main.c: sectors that it writes, and the mark in the upper half of each one's first word. */
const SECTORS = 16;
const SECTOR = 512;
const MARK = 0x4546_494c;

/** The generation that each sector holds; NaN for one that is torn. */
function generations(image: Uint8Array): readonly number[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return Array.from({ length: SECTORS }, (_, sector) => {
    const at = sector * SECTOR;
    const first = view.getBigUint64(at + 8, true);
    const sound =
      view.getUint32(at, true) === sector &&
      view.getUint32(at + 4, true) === MARK &&
      Array.from({ length: SECTOR / 8 - 1 }, (_, i) => view.getBigUint64(at + 8 + i * 8, true)).every(
        (word) => word === first,
      );
    return sound ? Number(first) : NaN;
  });
}

describe("A process that is killed", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "life.elf");
  });

  function writer(image: string): ChildProcess {
    const machine = "-M pc --accel kvm,xen-version=0x4000a,kernel-irqchip=split,xen-transport=userspace -m 64";
    const disk = `--drive file=${image},if=none,id=disk,format=raw --device xen-disk,drive=disk,vdev=xvda`;
    const args = `${machine} --serial stdio --display none ${disk} --kernel ${guestImage("life.elf")}`.split(" ");
    return spawn(process.execPath, [join(COMPILED, "cli", "main.js"), ...args, "--append", "forever up serial"], {
      cwd: PROJECT,
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  /** Kills the writer `afterMs` after its guest has first flushed something; gives the last generation that it told of. */
  async function killed(image: string, afterMs: number): Promise<number> {
    const child = writer(image);
    let text = "";
    const closed = new Promise((resolve) => child.once("close", resolve));
    const flushed = new Promise<void>((resolve) => {
      child.stdout?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (/flushed 2\r?\n/.test(text)) resolve();
      });
    });
    await Promise.race([flushed, closed]);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    child.kill("SIGKILL");
    await closed;
    assert.equal(child.signalCode, "SIGKILL");
    return Number([...text.matchAll(/flushed (\d+)\r?\n/g)].at(-1)?.[1]);
  }

  for (const afterMs of [0, 7, 23, 61]) {
    it(`${afterMs} ms after a flush has all that was flushed, and gives its lock back`, async () => {
      // The same image each time: a lock that stayed would show.
      const image = folder.path("killed.img");
      folder.file("killed.img", new Uint8Array(SECTORS * SECTOR));
      const told = await killed(image, afterMs);
      const found = generations(readFileSync(image));
      assert(told >= 2, `only ${told} was flushed`);
      assert(
        found.every((generation) => generation >= told),
        `${told} was flushed, and the sectors hold ${found.join(", ")}`,
      );
    });
  }
});
