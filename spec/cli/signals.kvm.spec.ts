/** Signals to a launcher whose guest runs, its threads in system calls. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { COMPILED, guestImage, PROJECT } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";

describe("A running launcher", function () {
  this.timeout(30_000);

  before(function () {
    requireKvm(this, "selftest.elf");
  });

  async function endsBy(...signals: readonly NodeJS.Signals[]): Promise<number | NodeJS.Signals | null> {
    const args = ["-M", "pc", "--accel", "kvm,xen-version=0x4000a,kernel-irqchip=split", "-m", "64"];
    const child = spawn(
      process.execPath,
      [
        join(COMPILED, "cli", "main.js"),
        ...args,
        "--serial",
        "stdio",
        "--kernel",
        guestImage("selftest.elf"),
        "--append",
        "serial",
      ],
      { cwd: PROJECT, stdio: ["ignore", "pipe", "ignore"] },
    );
    const gone = new Promise<number | NodeJS.Signals | null>((resolve) => {
      child.once("close", (code, signal) => {
        resolve(code ?? signal);
      });
    });
    // The guest runs once it says something.
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.stdout.resume();
    for (const signal of signals) child.kill(signal);
    return await gone;
  }

  it("ends in order by one", async () => {
    assert.equal(await endsBy("SIGTERM"), 128 + 15);
  });

  it("ends at once by a second one", async () => {
    const end = await endsBy("SIGTERM", "SIGINT");
    // The first may have done it already.
    assert([128 + 15, 128 + 2, "SIGINT", "SIGTERM"].includes(end ?? ""), `${end ?? "nothing"}`);
  });
});
