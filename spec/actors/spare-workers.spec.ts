import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

/** Runs a module's text in a process of its own; its exit code or signal, and what it wrote. */
function inProcess(source: string): string {
  const module = new URL("../../actors/spare-workers.js", import.meta.url);
  const text = `import { keepWorker, prewarmWorkers, takeWorker } from ${JSON.stringify(module.href)};\n${source}`;
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

  it("is one whose actor's work is over, in a process that has started many, unless a fresh one is wanted", () => {
    const source = `
      const taken = () => takeWorker("disk");
      const first = taken();
      const kept = [keepWorker(first)];
      for (let i = 1; i < 32; i++) taken();
      kept.push(keepWorker(first));
      const ids = [takeWorker("disk", { fresh: true }), takeWorker("net"), taken(), taken()].map(({ worker }) => worker.threadId);
      process.stdout.write([...kept, ...ids].join());
      process.exit(0);`;
    assert.equal(inProcess(source), "0false,true,33,34,1,35");
  });

  it("has been sixteen actors at most", () => {
    const source = `
      const worker = takeWorker("disk");
      for (let i = 1; i < 32; i++) takeWorker("disk");
      while (keepWorker(worker)) takeWorker("disk");
      process.stdout.write(String(worker.lives));
      process.exit(0);`;
    assert.equal(inProcess(source), "016");
  });

  it("ends when nobody takes it for half a second, and keeps no process alive meanwhile", () => {
    const ending = `
      const workers = Array.from({ length: 32 }, () => takeWorker("disk"));
      for (const { worker } of workers.slice(1)) worker.unref();
      const [kept] = workers;
      keepWorker(kept);
      const start = performance.now();
      kept.worker.ref();
      kept.worker.once("exit", (code) => process.stdout.write([code, performance.now() - start >= 490].join()));`;
    assert.equal(inProcess(ending), "00,true");
    assert.equal(inProcess(`${ending} kept.worker.unref();`), "0");
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
