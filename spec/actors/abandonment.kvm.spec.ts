/** A program that ends, by its will or a mistake, ends at once, whatever its machine's threads wait for. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { COMPILED } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";

describe("A program with a machine that runs", function () {
  this.timeout(60_000);
  const folder = temporaryFolder();

  before(function () {
    requireKvm(this, "spin.elf");
  });

  for (const [way, guest, code] of [
    ["made", "spin.elf", 7],
    ["started", "spin.elf", 7],
    ["running", "spin.elf", 7],
    ["running", "fuzz.elf", 7],
    ["paused", "spin.elf", 7],
    ["thrown", "fuzz.elf", 1],
  ] as const) {
    it(`ends when it is ${way}, with ${guest}`, async () => {
      const disk = folder.file("disk.img", new Uint8Array(1 << 20));
      const program = join(COMPILED, "spec", "support", "exit-process.js");
      const child = spawn(process.execPath, [program, way, guest, disk], { stdio: ["ignore", "inherit", "pipe"] });
      try {
        let complaint = "";
        child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
        assert.deepEqual(await once(child, "close"), [code, null]);
        assert.match(complaint, way === "thrown" ? /^Error: a mistake of the program's$/m : /^$/);
      } finally {
        // When it has not ended, the spec's time has.
        child.kill("SIGKILL");
      }
    });
  }
});
