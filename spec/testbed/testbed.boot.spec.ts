import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandTimeout, TestbedError } from "./errors.js";
import { testbedOfSuite } from "./suite-testbed.js";
import { watchSilence } from "./silence.js";

const MIB = 1 << 20;

describe("Testbed", function () {
  this.timeout(60_000);
  const booted = testbedOfSuite();

  it("is a KVM host with all that Linux 6.12 does for Xen guests", async () => {
    const source = `#include <stdio.h>
      #include <fcntl.h>
      #include <sys/ioctl.h>
      #include <linux/kvm.h>
      int main(void) { printf("%#x", ioctl(open("/dev/kvm", O_RDWR), KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM)); return 0; }`;
    const { stdout, stderr } = await booted.testbed.run("gcc -x c -o /tmp/capability - && /tmp/capability", {
      input: source,
    });
    assert.deepEqual([stdout, stderr], ["0x1ff", ""]);
  });

  it("runs a command in the project's directory and keeps its streams and exit code apart", async () => {
    const { code, stdout, stderr } = await booted.testbed.run("pwd; ls package.json; echo no >&2; exit 3");
    assert.deepEqual([code, stdout, stderr], [3, "/xenolith\npackage.json\n", "no\n"]);
  });

  it("changes no byte on the way in and out", async () => {
    const data = randomBytes(3 * MIB);
    const { stdoutBytes } = await booted.testbed.run("cat", { input: data });
    assert.ok(data.equals(stdoutBytes));
  });

  it("shares a directory, both ways", async () => {
    await writeFile(join(booted.testbed.share, "in"), "a");
    await booted.testbed.run("cat /share/in /share/in > /share/out");
    assert.equal(await readFile(join(booted.testbed.share, "out"), "utf8"), "aa");
  });

  it("lets a command write to the project without changing it", async () => {
    const { code } = await booted.testbed.run("echo changed > package.json && grep -q changed package.json");
    assert.equal(code, 0);
    assert.doesNotMatch(await readFile("package.json", "utf8"), /^changed/);
  });

  it("runs several commands at once", async () => {
    const runs = await Promise.all([5, 6, 7].map((code) => booted.testbed.run(`sleep 0.2; exit ${code}`)));
    assert.deepEqual(
      runs.map(({ code }) => code),
      [5, 6, 7],
    );
  });

  it("kills a command that takes too long, and gives what it printed", async () => {
    const late = booted.testbed.run("echo begun; sleep 999 & setsid sleep 999", { timeoutMs: 1000 });
    await assert.rejects(late, (cause) => cause instanceof CommandTimeout && cause.stdout === "begun\n");
    assert.equal((await booted.testbed.run("busybox pidof sleep")).stdout, "");
  });

  it("kills what a command leaves behind", async () => {
    assert.equal((await booted.testbed.run("setsid sleep 999 & exit 0")).code, 0);
    assert.equal((await booted.testbed.run("busybox pidof sleep")).stdout, "");
  });

  it("kills a command when told so", async () => {
    assert.equal((await booted.testbed.run("sleep 999", { signal: AbortSignal.timeout(200) })).code, 137);
  });

  it("tells what a command does that has fallen silent, and kills it", async () => {
    using silence = watchSilence(booted.testbed, "sleep", 500);
    const { code, stdout } = await booted.testbed.run("echo begun; sleep 999; echo over", {
      signal: silence.signal,
      onOutput: silence.broken,
    });
    assert.deepEqual([code, stdout], [137, "begun\n"]);
    assert.match(silence.threads, /^sleep S \d+ \d+ \w+ \d+ 0x/m);
  });

  it("gives a command a terminal", async () => {
    const output: Uint8Array[] = [];
    const terminal = booted.testbed.terminal("stty size; sleep 999; exit 4", { rows: 20, columns: 70 }, (data) =>
      output.push(data),
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    terminal.write(Uint8Array.of(3));
    assert.equal(await terminal.exit, 130);
    assert.match(Buffer.concat(output).toString(), /^20 70\r\n\^C/);
  });

  it("fails all that waits when the machine dies, with the end of its console", async () => {
    const waiting = booted.testbed.run("sleep 999");
    const deadly = booted.testbed.run("echo c > /proc/sysrq-trigger");
    for (const run of [waiting, deadly]) {
      await assert.rejects(run, (cause) => cause instanceof TestbedError && cause.message.includes("Kernel panic"));
    }
    await assert.rejects(async () => await booted.testbed.run("true"), TestbedError);
  });
});
