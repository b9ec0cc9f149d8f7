/** Machines that come and go in one process are made of the same threads, and none finds anything of another's there. */
import assert from "node:assert/strict";
import { Machine } from "../../actors/machine.js";
import type { MachineConfig } from "../../shared/config.js";
import type { LogRecord } from "../../shared/log.js";
import { smallGuest } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { lifeConfig, lifeDisk } from "../support/whole-life.js";

/** After so many of two threads each a process has started many. */
const MANY = 16;

interface Lived {
  readonly end: string;
  readonly text: string;
  readonly log: readonly LogRecord[];
  /** Threads that were started for it. */
  readonly started: number;
}

describe("Threads of machines that are gone", function () {
  this.timeout(60_000);
  const folder = temporaryFolder();

  before(async function () {
    requireKvm(this, "hello.elf", "life.elf", "spin.elf");
    for (let i = 0; i < MANY; i++) await live(smallGuest("hello.elf"));
  });

  async function live(config: MachineConfig): Promise<Lived> {
    let started = 0;
    const count = (): void => {
      started++;
    };
    process.on("worker", count);
    let text = "";
    const log: LogRecord[] = [];
    const machine = await Machine.create(config, { log: (record) => log.push(record) });
    try {
      machine.onStream("serial0", (bytes) => {
        text += Buffer.from(bytes).toString("latin1");
      });
      await machine.start();
      const { kind: end } = await machine.ended;
      return { end, text, log, started };
    } finally {
      await machine[Symbol.asyncDispose]();
      // Node tells of a new worker a turn later.
      await new Promise((resolve) => setImmediate(resolve));
      process.off("worker", count);
    }
  }

  it("are those of the next", async () => {
    let started = 0;
    for (let i = 0; i < 10; i++) started += (await live(smallGuest("hello.elf"))).started;
    // Each is of use sixteen times.
    assert(started <= 4, `${started} threads were started for ten machines`);
  });

  it("have nothing of its trace, its commands or its disk", async () => {
    const boot = { ...smallGuest("hello.elf").boot, cmdline: "serial" };
    const traced = await live(smallGuest("hello.elf", { boot, trace: ["hypercall"] }));
    assert(traced.log.some(({ level }) => level === "trace"));
    const plain = await live(smallGuest("hello.elf", { boot }));
    assert.deepEqual(
      plain.log.filter(({ level }) => level === "trace"),
      [],
    );
    assert.equal(plain.text, traced.text);
    for (const name of ["one.img", "two.img"]) {
      assert.equal((await live(lifeConfig(folder.file(name, lifeDisk())))).end, "poweroff");
    }
  });

  it("are as good for a machine with other processors, beside one that runs", async () => {
    const other = await Machine.create(smallGuest("spin.elf", { vcpus: { count: 2 } }), { log: () => undefined });
    await other.start();
    for (let i = 0; i < 4; i++)
      assert.equal((await live(smallGuest("hello.elf", { vcpus: { count: 3 } }))).end, "poweroff");
    assert.equal(other.status(), "running");
    await other[Symbol.asyncDispose]();
  });

  it("are also those of one that was still running when it was disposed of", async () => {
    const machine = await Machine.create(smallGuest("spin.elf", { vcpus: { count: 4 } }), { log: () => undefined });
    await machine.start();
    await machine[Symbol.asyncDispose]();
    const next = await live(smallGuest("hello.elf", { vcpus: { count: 4 } }));
    assert.deepEqual([next.end, next.started <= 1], ["poweroff", true]);
  });
});
