/** Limits of the host's that are too low for a machine: one line that says which, and exit code 1, at every stage of its making. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { COMPILED, guestImage, PROJECT } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";

interface Run {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Of which Node itself needs about 20 to start, and a machine about 35. */
const DESCRIPTORS = [20, 22, 24, 26, 28, 30, 32, 36, 64];
/** In KiB. Shared memory takes address space by the 8 GiB; with much less, native code below us may abort. */
const ADDRESS_SPACE = [12_000_000, 48_000_000];

describe("A host whose limits are low", function () {
  this.timeout(240_000);

  before(function () {
    requireKvm(this, "hello.elf");
  });

  async function limited(limit: string): Promise<Run> {
    const args = ["--accel", "kvm,xen-version=0x40011", "-m", "64", "--display", "none", "--xen-log"];
    const kernel = ["--kernel", guestImage("hello.elf"), "--append", "hi"];
    const child = spawn(
      "/bin/sh",
      [
        "-c",
        `ulimit ${limit} && exec "$@"`,
        "sh",
        process.execPath,
        join(COMPILED, "bundle", "xenolith.js"),
        ...args,
        ...kernel,
      ],
      { cwd: PROJECT, stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, output, errors };
  }

  /** Runs, or says in one line of ours why not. A Node that cannot even read our code speaks for itself. */
  function assertClear({ code, output, errors }: Run, limit: string, reason: RegExp): void {
    if (code === 0) {
      assert.equal(output.trim(), "Hello from a Xen guest: hi", limit);
      return;
    }
    if (!errors.startsWith("xenolith: ")) {
      assert.match(errors, /EMFILE|Check failed|out of memory/i, limit);
      return;
    }
    assert.equal(code, 1, `${limit}: ${errors}`);
    assert.equal(errors.trim().split("\n").length, 1, `${limit}: ${errors}`);
    assert.match(errors, reason, `${limit}: ${errors}`);
  }

  it("in descriptors (C7: RLIMIT_NOFILE) says so, or runs", async () => {
    const codes: (number | null)[] = [];
    for (const count of DESCRIPTORS) {
      const run = await limited(`-n ${count}`);
      assertClear(run, `${count} descriptors`, /EMFILE/);
      codes.push(run.code);
    }
    assert.equal(codes.at(-1), 0);
    assert.equal(codes[0], 1);
  });

  it("in address space (C7: RLIMIT_AS) says so, or runs", async () => {
    const codes: (number | null)[] = [];
    for (const kib of ADDRESS_SPACE) {
      const run = await limited(`-v ${kib}`);
      assertClear(run, `${kib} KiB`, /out of memory or a limit/);
      codes.push(run.code);
    }
    assert.deepEqual([codes[0], codes.at(-1)], [1, 0]);
  });
});
