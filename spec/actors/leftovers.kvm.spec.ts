/** Nothing of a machine is left in the process or on disk: not after its end, and not when it could not be made. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { Machine } from "../../actors/machine.js";
import { VmmError } from "../../shared/errors.js";
import type { MachineConfig } from "../../shared/config.js";
import { openDescriptors, settle, spareThreadsEnded, threadCount } from "../support/leftovers.js";
import { smallGuest } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { tinyGuest } from "../support/tiny-guest.js";

const quiet = { log: () => undefined };

/** Descriptors that come and go with Node's own threads are the same kinds before and after. */
function held(): { readonly descriptors: readonly string[]; readonly threads: number } {
  return { descriptors: openDescriptors().map((target) => target.replace(/\d+/g, "n")), threads: threadCount() };
}

/** Runs `work` and asserts that the process holds afterwards what it held before. */
async function leavesNothing(work: () => Promise<void>): Promise<void> {
  await spareThreadsEnded();
  const before = held();
  await work();
  await settle(() => {
    const now = held();
    return now.threads === before.threads && now.descriptors.length === before.descriptors.length;
  });
  assert.deepEqual(held(), before);
}

async function bootOnce(config: MachineConfig): Promise<void> {
  const machine = await Machine.create(config, quiet);
  await machine.start();
  assert.equal((await machine.ended).kind, "poweroff");
  await machine[Symbol.asyncDispose]();
}

describe("A machine that is disposed of", function () {
  this.timeout(60_000);
  const folder = temporaryFolder();
  const disk = (name: string): string => folder.file(name, new Uint8Array(64 * 1024));

  before(async function () {
    requireKvm(this, "hello.elf", "spin.elf", "triple-fault.elf");
    // Once before anything is counted: the bindings and Node's pools open what they keep for good.
    await bootOnce(smallGuest("hello.elf"));
  });

  it("leaves nothing after its guest has powered off", async () => {
    await leavesNothing(() => bootOnce(smallGuest("hello.elf", { vcpus: { count: 2 } })));
  });

  it("leaves nothing when it never ran", async () => {
    await leavesNothing(async () => {
      const machine = await Machine.create(smallGuest("hello.elf"), quiet);
      await machine[Symbol.asyncDispose]();
      await machine[Symbol.asyncDispose]();
    });
  });

  it("leaves nothing when its guest runs, is paused, or has crashed", async () => {
    await leavesNothing(async () => {
      const running = await Machine.create(smallGuest("spin.elf", { vcpus: { count: 2 } }), quiet);
      await running.start();
      await running[Symbol.asyncDispose]();
      const paused = await Machine.create(smallGuest("spin.elf"), quiet);
      await paused.start();
      await paused.pause();
      await paused[Symbol.asyncDispose]();
      const crashed = await Machine.create(smallGuest("triple-fault.elf"), quiet);
      await crashed.start();
      assert.equal((await crashed.ended).kind, "crash");
      await crashed[Symbol.asyncDispose]();
    });
  });

  it("leaves no disk, socket, file or terminal of its streams open", async () => {
    await leavesNothing(async () => {
      const socket = folder.path("serial.sock");
      const machine = await Machine.create(
        smallGuest("hello.elf", {
          serials: [{ kind: "socket", path: socket, server: true, wait: false }, { kind: "pty" }],
          xenConsole: { kind: "file", path: folder.path("console.log") },
          disks: [{ path: disk("used.img"), attach: { kind: "xen", vdev: "xvda" } }],
        }),
        quiet,
      );
      assert.equal(existsSync(socket), true);
      assert.match(machine.places["serial1"] ?? "", /^\/dev\/pts\/\d+$/);
      await machine.start();
      assert.equal((await machine.ended).kind, "poweroff");
      await machine[Symbol.asyncDispose]();
      assert.equal(existsSync(socket), false);
    });
  });

  it("gives its disk back to the next machine", async () => {
    const config = smallGuest("spin.elf", {
      disks: [{ path: disk("next.img"), locking: "on", attach: { kind: "xen", vdev: "xvda" } }],
    });
    const first = await Machine.create(config, quiet);
    await first.start();
    await assert.rejects(Machine.create(config, quiet), /next\.img: another process has locked it/);
    await first[Symbol.asyncDispose]();
    const second = await Machine.create(config, quiet);
    await second[Symbol.asyncDispose]();
  });

  it("stays flat over 50 machines in one process", async () => {
    await leavesNothing(async () => {
      for (let i = 0; i < 50; i++) await bootOnce(smallGuest("hello.elf"));
    });
  });
});

describe("A machine that cannot be made", function () {
  this.timeout(60_000);
  const folder = temporaryFolder();
  const xvda = { kind: "xen", vdev: "xvda" } as const;

  before(async function () {
    requireKvm(this, "hello.elf");
    await bootOnce(smallGuest("hello.elf"));
  });

  /** [what is wrong, configuration, what the one line says] */
  const CASES: readonly (readonly [string, () => MachineConfig, RegExp])[] = [
    [
      "a missing kernel",
      () => smallGuest("hello.elf", { boot: { kernel: folder.path("none") } }),
      /^Cannot load .*none: there is no such file$/,
    ],
    [
      "a kernel that is a directory",
      () => smallGuest("hello.elf", { boot: { kernel: folder.path(".") } }),
      /: it is not a regular file$/,
    ],
    [
      "a kernel that is none",
      () => smallGuest("hello.elf", { boot: { kernel: folder.file("text", "just text") } }),
      /^Cannot boot .*text/,
    ],
    [
      "a missing initrd",
      () => smallGuest("hello.elf", { boot: { ...smallGuest("hello.elf").boot, initrd: folder.path("none") } }),
      /none: there is no such file$/,
    ],
    [
      "a missing disk",
      () => smallGuest("hello.elf", { disks: [{ path: folder.path("none"), attach: xvda }] }),
      /^Cannot use the disk .*none: there is no such file$/,
    ],
    [
      "a second disk of an odd size",
      () => {
        const good = folder.file("good.img", new Uint8Array(1024));
        const odd = folder.file("odd.img", new Uint8Array(1025));
        return smallGuest("hello.elf", {
          disks: [
            { path: good, attach: xvda },
            { path: odd, attach: { kind: "xen", vdev: "xvdb" } },
          ],
        });
      },
      /odd\.img: its size, 1025 bytes, is not a multiple of the 512-byte sector$/,
    ],
    [
      "a CPU feature that nobody knows",
      () => smallGuest("hello.elf", { cpu: { features: { "no-such-thing": true } } }),
      /no-such-thing: there is no such CPU feature/,
    ],
    [
      "a serial port on a socket path that exists",
      () => smallGuest("hello.elf", { serials: [{ kind: "socket", path: folder.file("taken", ""), server: true }] }),
      /^Cannot listen on the socket .*taken: the path exists already/,
    ],
    [
      "a serial port on a socket where nobody listens",
      () => smallGuest("hello.elf", { serials: [{ kind: "socket", path: folder.path("nobody"), server: false }] }),
      /^Cannot connect to the socket .*nobody: nobody listens there$/,
    ],
    [
      "a serial port in a folder that is not there",
      () => smallGuest("hello.elf", { serials: [{ kind: "file", path: folder.path("no/such/file") }] }),
      /^Cannot open .*no\/such\/file for output: there is no such file$/,
    ],
  ];

  for (const [what, config, pattern] of CASES) {
    it(`says so in one line and leaves nothing: ${what}`, async () => {
      const wrong = config();
      await leavesNothing(async () => {
        await assert.rejects(Machine.create(wrong, quiet), (error: unknown) => {
          assert(error instanceof VmmError, String(error));
          assert.equal(error.code, "CONFIG");
          assert.match(error.message, pattern);
          assert.doesNotMatch(error.message, /\n/);
          return true;
        });
      });
    });
  }

  it("says so when the kernel goes away before a reset, as the machine's end", async () => {
    const kernel = folder.file("going.elf", tinyGuest([0xfa, 0xeb, 0xfe]));
    await leavesNothing(async () => {
      const machine = await Machine.create(smallGuest("", { boot: { kernel } }), quiet);
      await machine.start();
      writeFileSync(kernel, "no kernel any more");
      await machine.reset();
      const end = await machine.ended;
      assert(end.kind === "failed");
      assert.match(end.error.message, /going\.elf/);
      await machine[Symbol.asyncDispose]();
    });
  });
});
