import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

/** Runs a module's text in a process of its own; its exit code or signal, and what it wrote. */
function inProcess(source: string): string {
  const module = new URL("../../actors/spare-workers.js", import.meta.url);
  const text = `import { prewarmWorkers, takeWorker } from ${JSON.stringify(module.href)};\n${source}`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", text], {
    encoding: "utf8",
  });
  return `${status ?? signal ?? ""}${stdout}${stderr}`;
}

describe("A spare thread", () => {
  it("is taken by the first that asks for a vCPU, and by no other", () => {
    const source = `
      prewarmWorkers(1);
      const ids = ["device", "vcpu", "vcpu"].map((kind) => takeWorker(kind).worker.threadId);
      process.stdout.write(ids.join());
      process.exit(0);`;
    assert.equal(inProcess(source), "02,1,3");
  });

  it("does not keep the process alive when nobody takes it", () => {
    assert.equal(inProcess("prewarmWorkers(1);"), "0");
  });

  // State 3: called off. koffi aborts a process that ends while it is being set up.
  it("loads nothing any more when the process ends", () => {
    const source = `
      const state = new Int32Array(takeWorker("vcpu").loading.buffer);
      process.on("exit", () => process.stdout.write(String(state[0])));
      process.exit(7);`;
    assert.equal(inProcess(source), "73");
  });
});
