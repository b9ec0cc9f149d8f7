/** A machine's life, from the outside, with guests that fit on a screen. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection } from "node:net";
import { performance } from "node:perf_hooks";
import type { Machine } from "../../actors/machine.js";
import { VmmError } from "../../shared/errors.js";
import { AT_UD2 } from "../support/crash-report.js";
import { machines, smallGuest } from "../support/machines.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { ECHO_PLUS_ONE, HALT, outb, SPIN, tinyGuest } from "../support/tiny-guest.js";

/** Far more than a kick takes, and far less than what a person notices. */
const PROMPT_MS = 500;

/** A pause or a reset waits for the device actor, whose thread may still load its code: not when they are timed. */
async function allUp(machine: Machine): Promise<void> {
  await machine.pause();
  await machine.resume();
}

async function timed(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

function refusal(code: string, pattern: RegExp) {
  return (error: unknown): boolean => error instanceof VmmError && error.code === code && pattern.test(error.message);
}

describe("Machine", function () {
  this.timeout(20_000);
  const { create } = machines();
  const folder = temporaryFolder();
  const guest = (name: string, code: readonly number[]): string => folder.file(name, tinyGuest(code));

  before(function () {
    requireKvm(this, "hello.elf", "hello.multiboot.elf", "spin.elf", "triple-fault.elf");
  });

  describe("with a guest that says hello", () => {
    for (const kernel of ["hello.elf", "hello.multiboot.elf"]) {
      it(`boots ${kernel} to the end, by the userspace transport`, async () => {
        const { machine, text, log } = await create(
          smallGuest(kernel, { boot: { ...smallGuest(kernel).boot, cmdline: "serial a=b" } }),
        );
        assert.deepEqual([machine.status(), machine.transport], ["stopped", "userspace"]);
        await machine.start();
        assert.deepEqual(await machine.ended, { kind: "poweroff" });
        assert.equal(machine.status(), "ended");
        assert.match(text("serial0"), /^Hello from a Xen guest: .*serial a=b\n$/);
        assert.match(text("xen-log"), /Hello from a Xen guest/);
        assert.deepEqual(
          log.filter(({ level }) => level === "warn" || level === "error"),
          [],
        );
      });
    }

    for (const count of [2, 4, 8]) {
      it(`boots with ${count} vCPUs, of which all but one wait`, async () => {
        const { machine } = await create(smallGuest("hello.elf", { vcpus: { count } }));
        await machine.start();
        assert.deepEqual(await machine.ended, { kind: "poweroff" });
      });
    }

    it("finds no Xen when there is none", async () => {
      const { machine, text } = await create(
        smallGuest("hello.elf", {
          accel: { xenVersion: 0 },
          boot: { ...smallGuest("hello.elf").boot, cmdline: "serial debug-exit" },
          debugExit: { iobase: 0xf4, iosize: 4 },
        }),
      );
      assert.equal(machine.transport, "none");
      await machine.start();
      // QEMU's isa-debug-exit: (value << 1) | 1.
      assert.deepEqual(await machine.ended, { kind: "debug-exit", code: 3 });
      assert.equal(text("serial0"), "no Xen here\n");
    });

    it("can be run twice at once in one process", async () => {
      const [first, second] = await Promise.all([create(smallGuest("hello.elf")), create(smallGuest("hello.elf"))]);
      await Promise.all([first.machine.start(), second.machine.start()]);
      assert.deepEqual(await Promise.all([first.machine.ended, second.machine.ended]), [
        { kind: "poweroff" },
        { kind: "poweroff" },
      ]);
    });

    it("stays as it is after its power-off with no-shutdown, until it is reset", async () => {
      const { machine, text, waitFor } = await create(smallGuest("hello.elf", { noShutdown: true }));
      await machine.start();
      await waitFor("xen-log", "Hello");
      while (machine.status() !== "paused") await new Promise((resolve) => setTimeout(resolve, 1));
      assert.match(await machine.describeVcpus(), /vCPU 0:/);
      assert.equal(machine.poweredOff, true);
      await assert.rejects(machine.resume(), refusal("STATE", /powered off: reset it first/));
      await machine.reset();
      assert.equal(machine.poweredOff, false);
      await machine.resume();
      while (text("xen-log").split("Hello").length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    });
  });

  describe("with a guest that spins with interrupts off", () => {
    it("pauses, resumes and stops it promptly (V5)", async () => {
      const { machine } = await create(smallGuest("spin.elf"));
      await machine.start();
      await allUp(machine);
      for (let round = 0; round < 5; round++) {
        assert((await timed(machine.pause())) < PROMPT_MS);
        assert.equal(machine.status(), "paused");
        await machine.resume();
        assert.equal(machine.status(), "running");
      }
      assert((await timed(machine.stop())) < PROMPT_MS);
      assert.deepEqual(await machine.ended, { kind: "stopped" });
    });

    it("tells its registers while it is paused, and only then", async () => {
      const { machine } = await create(smallGuest("spin.elf", { vcpus: { count: 2 } }));
      await machine.start();
      await assert.rejects(machine.describeVcpus(), refusal("STATE", /running: it must be paused/));
      await machine.pause();
      const report = await machine.describeVcpus();
      // `jmp` to itself, somewhere above 1 MiB.
      assert.match(report, /vCPU 0:\n {2}rip 0000000000[0-9a-f]{6}/);
      assert.match(report, /code (fa )?eb fe/);
      assert.match(report, /vCPU 1:/);
    });

    it("resets it while it runs and while it is paused", async () => {
      const { machine } = await create(smallGuest("spin.elf"));
      await machine.start();
      await machine.reset();
      await machine.pause();
      await machine.reset();
      assert.equal(machine.status(), "paused");
      await machine.resume();
      assert.equal(machine.status(), "running");
    });

    it("obeys a pause that comes while a reset is under way", async () => {
      const { machine } = await create(smallGuest("spin.elf"));
      await machine.start();
      await allUp(machine);
      for (let round = 0; round < 5; round++) {
        await machine.reset();
        await new Promise((resolve) => setTimeout(resolve, round));
        assert((await timed(machine.pause())) < PROMPT_MS);
        await machine.resume();
      }
    });

    it("obeys a stop that comes while a reset is under way", async () => {
      for (let round = 0; round < 4; round++) {
        const { machine } = await create(smallGuest("spin.elf"));
        await machine.start();
        await allUp(machine);
        await machine.reset();
        await new Promise((resolve) => setTimeout(resolve, round));
        assert((await timed(machine.stop())) < PROMPT_MS);
        await machine[Symbol.asyncDispose]();
      }
    });

    it("refuses what does not fit its state", async () => {
      const { machine } = await create(smallGuest("spin.elf"));
      await assert.rejects(machine.pause(), refusal("STATE", /Cannot pause a machine that is stopped/));
      await assert.rejects(machine.resume(), refusal("STATE", /Cannot resume a machine that is stopped/));
      await machine.start();
      await assert.rejects(machine.start(), refusal("STATE", /Cannot start a machine that is running/));
      await machine.stop();
      await machine.stop();
      await assert.rejects(machine.pause(), refusal("STATE", /ended/));
      await assert.rejects(machine.reset(), refusal("STATE", /ended/));
    });
  });

  describe("with a guest that cannot go on", () => {
    it("reports a triple fault with registers, code and the last exits, and does not hang (V1)", async () => {
      const { machine } = await create(smallGuest("triple-fault.elf", { noReboot: true }));
      await machine.start();
      const end = await machine.ended;
      assert(end.kind === "crash");
      const lines = end.report.split("\n");
      assert.match(lines[0] ?? "", /^triple fault/);
      for (const pattern of [
        /^ {2}rip [0-9a-f]{16} rflags [0-9a-f]{16}$/,
        /^ {2}rax [0-9a-f]{16} rbx/,
        /^ {2}cs [0-9a-f]{4} base [0-9a-f]{16} limit [0-9a-f]{8} dpl 0$/,
        /^ {2}cr0 [0-9a-f]{8} cr2 [0-9a-f]{16} cr3/,
        /^ {2}last exits: .*shutdown$/,
      ]) {
        assert(
          lines.some((line) => pattern.test(line)),
          `${pattern.source} in\n${end.report}`,
        );
      }
      assert.match(end.report, AT_UD2);
    });

    it("stops the other vCPUs of a guest that crashes", async () => {
      const { machine } = await create(smallGuest("triple-fault.elf", { vcpus: { count: 4 } }));
      await machine.start();
      assert.equal((await machine.ended).kind, "crash");
    });
  });

  describe("with a guest that asks for a reset", () => {
    /** Says B, then resets. */
    const WAYS = [
      ["port 0xcf9", outb(0xcf9, 0x06)],
      ["the keyboard controller", outb(0x64, 0xfe)],
      ["port 0x92", outb(0x92, 0x01)],
    ] as const;

    for (const [way, code] of WAYS) {
      it(`starts it over, by ${way} (P9)`, async () => {
        const kernel = guest("reset.elf", [...outb(0x3f8, 0x42), ...code, ...HALT]);
        const { machine, waitFor } = await create(smallGuest("", { boot: { kernel } }));
        await machine.start();
        await waitFor("serial0", "BBBB");
        assert.equal(machine.status(), "running");
      });

      it(`ends instead when told so, by ${way}`, async () => {
        const kernel = guest("reset.elf", [...outb(0x3f8, 0x42), ...code, ...HALT]);
        const { machine, text } = await create(smallGuest("", { boot: { kernel }, noReboot: true }));
        await machine.start();
        assert.deepEqual(await machine.ended, { kind: "reset-requested" });
        assert.equal(text("serial0"), "B");
      });
    }

    it("can be paused and stopped in the middle of a reset loop", async () => {
      const kernel = guest("loop.elf", [...outb(0xcf9, 0x06), ...HALT]);
      const { machine } = await create(smallGuest("", { boot: { kernel } }));
      await machine.start();
      await allUp(machine);
      for (let round = 0; round < 5; round++) {
        assert((await timed(machine.pause())) < PROMPT_MS);
        await machine.resume();
      }
      assert((await timed(machine.stop())) < PROMPT_MS);
    });
  });

  describe("with a guest that uses ports", () => {
    for (const value of [0, 1, 0x10, 0xff]) {
      it(`ends with QEMU's code for ${value} at the debug exit port`, async () => {
        const kernel = guest("exit.elf", [...outb(0xf4, value), ...SPIN]);
        const { machine } = await create(smallGuest("", { boot: { kernel }, debugExit: { iobase: 0xf4, iosize: 4 } }));
        await machine.start();
        assert.deepEqual(await machine.ended, { kind: "debug-exit", code: ((value << 1) | 1) & 0xff });
      });
    }

    it("passes on what it says at the debug port, the last line without its newline too", async () => {
      const words = [...Buffer.from("first\n\xfflast", "latin1")].flatMap((byte) => outb(0x402, byte));
      const kernel = guest("talk.elf", [...words, ...outb(0xf4, 0), ...SPIN]);
      const { machine, text, log } = await create(
        smallGuest("", {
          boot: { kernel },
          debugcon: { iobase: 0x402, chardev: { kind: "stream" } },
          debugExit: { iobase: 0xf4, iosize: 4 },
        }),
      );
      await machine.start();
      await machine.ended;
      assert.equal(text("debugcon"), "first\n\xfflast");
      assert.deepEqual(
        log.map(({ message }) => message).filter((message) => message.startsWith("debugcon")),
        ["debugcon: first", "debugcon: \xfflast"],
      );
    });

    it("carries bytes to and from a serial port", async () => {
      const kernel = guest("echo.elf", ECHO_PLUS_ONE);
      const { machine, text, waitFor } = await create(smallGuest("", { boot: { kernel } }));
      await machine.start();
      const sent = Uint8Array.from({ length: 600 }, (_, i) => 0x30 + (i % 64));
      await machine.writeStream("serial0", sent);
      await machine.writeStream("serial0", Uint8Array.of(0x7d));
      await waitFor("serial0", "~");
      assert.equal(text("serial0"), `${String.fromCharCode(...sent.map((byte) => byte + 1))}~`);
    });

    it("receives a break as a zero byte, and shows its PCI bus", async () => {
      const kernel = guest("echo.elf", ECHO_PLUS_ONE);
      const { machine, text, waitFor } = await create(smallGuest("", { boot: { kernel } }));
      await assert.rejects(
        machine.pciFunctions(),
        refusal("STATE", /Cannot look at the PCI bus of a machine that is stopped/),
      );
      await machine.start();
      await machine.sendBreak("serial0");
      await waitFor("serial0", "\x01");
      assert.equal(text("serial0"), "\x01");
      const names = (await machine.pciFunctions()).map(({ name }) => name);
      assert.deepEqual([names[0], names.at(-1)], ["i440fx", "xen-platform"]);
    });

    it("shows its event channels, and raises one for a person", async () => {
      const { machine } = await create(smallGuest("spin.elf"));
      await machine.start();
      const rows = (await machine.eventPorts()).map(({ port, kind, remoteDomain, pending }) => ({
        port: Number(port),
        kind,
        remoteDomain,
        pending,
      }));
      const idle = { kind: "interdomain", remoteDomain: 0, pending: false };
      assert.deepEqual(rows, [
        { port: 1, ...idle },
        { port: 2, ...idle },
      ]);
      assert.deepEqual([await machine.injectEvent(2), await machine.injectEvent(3)], [true, false]);
      assert.deepEqual(
        (await machine.eventPorts()).map(({ pending }) => pending),
        [false, true],
      );
    });

    it("has none without Xen", async () => {
      const { machine } = await create(smallGuest("spin.elf", { accel: {} }));
      await machine.start();
      const none = refusal("CONFIG", /has no event channels: Xen is not switched on/);
      await assert.rejects(machine.eventPorts(), none);
      await assert.rejects(machine.injectEvent(1), none);
    });

    it("holds its start until somebody connects to a socket that waits", async () => {
      const kernel = guest("wait.elf", [...outb(0x3f8, 0x42), ...HALT]);
      const path = folder.path("wait.sock");
      const { machine } = await create(
        smallGuest("", { boot: { kernel }, serials: [{ kind: "socket", path, server: true, wait: true }] }),
      );
      const started = machine.start();
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(machine.status(), "stopped");
      const client = createConnection(path);
      const [text] = (await once(client, "data")) as [Buffer];
      assert.equal(text.toString(), "B");
      await started;
      assert.equal(machine.status(), "running");
      client.destroy();
    });

    it("gives up that wait when it is stopped", async () => {
      const path = folder.path("alone.sock");
      const { machine } = await create(
        smallGuest("spin.elf", { serials: [{ kind: "socket", path, server: true, wait: true }] }),
      );
      const refused = assert.rejects(machine.start(), refusal("STATE", /Cannot start a machine that is ended/));
      await machine.stop();
      await refused;
    });

    it("lets a writer go when the machine ends under it", async () => {
      const { machine } = await create(smallGuest("spin.elf"));
      await machine.start();
      // More than the input ring holds: nobody reads it.
      const written = machine.writeStream("serial0", new Uint8Array(100_000));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await machine.stop();
      await written;
    });

    it("makes the guest wait for a slow listener and loses nothing", async () => {
      const kernel = guest("flood.elf", [0xb9, 0x00, 0x20, 0x00, 0x00, ...POLLED_X, 0xe2, 0xee, ...outb(0xf4, 0)]);
      const { machine } = await create(smallGuest("", { boot: { kernel }, debugExit: { iobase: 0xf4, iosize: 4 } }));
      let count = 0;
      machine.onStream("serial0", async (bytes) => {
        count += bytes.length;
        await new Promise((resolve) => setTimeout(resolve, 1));
      });
      await machine.start();
      assert.deepEqual(await machine.ended, { kind: "debug-exit", code: 1 });
      assert.equal(count, 0x2000);
    });
  });
});

/** `full: mov dx, 0x3fd; in al, dx; test al, 0x20; jz full; mov dx, 0x3f8; mov al, 'x'; out dx, al` */
const POLLED_X = [
  ...[0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x20, 0x74, 0xf7],
  ...[0x66, 0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee],
];
