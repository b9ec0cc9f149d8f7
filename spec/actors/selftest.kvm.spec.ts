/**
 * The self-test guest on this host's KVM, by the command that users run. spec/guests/selftest.kvm.spec.ts has the other
 * numbers of vCPUs.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { COMPILED, PROJECT } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";
import { cannotRun } from "../support/cannot-run.js";

interface Run {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

async function xenolith(args: readonly string[], ffi: string): Promise<Run> {
  const child = spawn(process.execPath, [join(COMPILED, "cli", "main.js"), ...args], {
    cwd: PROJECT,
    env: { ...process.env, XENOLITH_FFI: ffi },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output, errors };
}

function koffiIsThere(): boolean {
  try {
    createRequire(import.meta.url).resolve("koffi");
    return true;
  } catch {
    return false;
  }
}

describe("xenolith selftest", function () {
  this.timeout(120_000);

  before(function () {
    requireKvm(this, "selftest.elf");
    assert(existsSync(join(COMPILED, "cli", "main.js")));
  });

  for (const [ffi, vcpus] of [
    ["ffi-rs", 2],
    ["koffi", 4],
  ] as const) {
    it(`passes with ${vcpus} vCPUs by ${ffi}, on the userspace transport`, async function () {
      if (ffi === "koffi" && !koffiIsThere()) {
        cannotRun(this, "koffi, which is optional, is not installed");
      }
      const run = await xenolith(["selftest", "--smp", String(vcpus), "--transport", "userspace"], ffi);
      const failures = run.output.split("\n").filter((line) => /^(not ok|FAIL)/i.test(line.trim()));
      assert.deepEqual({ code: run.code, failures, errors: run.errors }, { code: 0, failures: [], errors: "" });
    });
  }
});
