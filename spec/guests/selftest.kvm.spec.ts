/** The self-test guest on this machine's KVM, as a user runs it: through the launcher, with each binding. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { COMPILED } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";

const LAUNCHER = join(COMPILED, "cli", "main.js");
/** Guest seconds are long on a busy host that interprets ring 0. */
const LIMIT_SECONDS = 170;
/** Checks that there are at least; some are skipped with fewer vCPUs. */
const ENOUGH_CHECKS = 160;
const ENOUGH_32_BIT_CHECKS = 25;

interface Outcome {
  readonly code: number;
  readonly output: string;
  readonly complaints: string;
}

function selftest(binding: string, ...options: readonly string[]): Promise<Outcome> {
  const argv = [LAUNCHER, "selftest", "--timeout", `${LIMIT_SECONDS}`, ...options];
  return new Promise((resolve) => {
    const env = { ...process.env, XENOLITH_FFI: binding };
    execFile(process.execPath, argv, { env }, (error, output, complaints) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, output, complaints });
    });
  });
}

function lines(output: string, mark: RegExp): string[] {
  return output.split("\n").filter((line) => mark.test(line));
}

describe("the self-test guest", function () {
  this.timeout((LIMIT_SECONDS + 10) * 1000);

  before(function () {
    requireKvm(this, "selftest.elf");
  });

  for (const [binding, vcpus] of [
    ["koffi", 1],
    ["koffi", 2],
    ["koffi", 4],
    ["ffi-rs", 2],
  ] as const) {
    it(`passes all checks with ${vcpus} vCPUs over ${binding}, by the userspace transport`, async () => {
      const { code, output, complaints } = await selftest(binding, "--smp", `${vcpus}`, "--transport", "userspace");
      assert.deepEqual(lines(output, /^(not ok|Bail out)/), [], complaints);
      assert.ok(lines(output, /^ok /).length >= ENOUGH_CHECKS, output);
      assert.deepEqual({ code, complaints }, { code: 0, complaints: "" });
    });
  }

  it("passes as a 32-bit guest, too", async () => {
    const { code, output, complaints } = await selftest("koffi", "--bits", "32", "--transport", "userspace");
    assert.deepEqual(lines(output, /^(not ok|Bail out)/), [], complaints);
    assert.ok(lines(output, /^ok /).length >= ENOUGH_32_BIT_CHECKS, output);
    assert.equal(code, 0);
  });

  it("runs one group alone", async () => {
    const { code, output } = await selftest("koffi", "--group", "cpuid");
    const checks = lines(output, /^(ok|not ok|skipped) /);
    assert.equal(code, 0);
    assert.ok(checks.length > 0 && checks.every((line) => line.includes(" - cpuid: ")), output);
  });
});
