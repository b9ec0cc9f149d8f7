/** Network cards of whole machines: the self-test's driver in the guest, other processes at the end of the cable. */
import assert from "node:assert/strict";
import { fork, spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Machine } from "../../actors/machine.js";
import type { MachineConfig } from "../../shared/config.js";
import { openDescriptors, settle, spareThreadsEnded } from "../support/leftovers.js";
import { machines, smallGuest } from "../support/machines.js";
import type { Running } from "../support/machines.js";
import { COMPILED, guestImage } from "../support/project.js";
import { requireKvm } from "../support/require-kvm.js";
import { temporaryFolder } from "../support/temporary.js";
import { cannotRun } from "../support/cannot-run.js";

type Backend = NonNullable<MachineConfig["nets"]>[number]["backend"];

/** Any port: the peer of these specs does not look at it. */
const ECHO = "echo=7";

describe("A machine's network card", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const { create } = machines();
  const peers: ChildProcess[] = [];
  const sockets: Socket[] = [];
  let paths = 0;

  before(function () {
    requireKvm(this, "selftest.elf");
  });

  afterEach(async () => {
    for (const peer of peers.splice(0)) {
      const gone = once(peer, "exit");
      if (peer.connected) peer.disconnect();
      if (peer.exitCode === null && peer.signalCode === null) await gone;
    }
    for (const socket of sockets.splice(0)) {
      socket.close();
      await once(socket, "close");
    }
  });

  function path(): string {
    return folder.path(`net${paths++}`);
  }

  /** A process at the end of the cable; it is there when this resolves. */
  async function peer(...args: readonly string[]): Promise<ChildProcess> {
    const child = fork(join(COMPILED, "spec", "support", "net-peer-process.js"), [...args], { stdio: "inherit" });
    peers.push(child);
    await once(child, "message");
    return child;
  }

  async function counters(child: ChildProcess): Promise<{ readonly echoes: number; readonly wrong: number }> {
    child.send("counters");
    const [message] = (await once(child, "message")) as [{ readonly echoes: number; readonly wrong: number }];
    return message;
  }

  function guest(backend: Backend, words: string, vcpus = 1): MachineConfig {
    return smallGuest("selftest.elf", {
      vcpus: { count: vcpus },
      boot: { kernel: guestImage("selftest.elf"), cmdline: `group=net vcpus=${vcpus} ${words}` },
      xenConsole: { kind: "stream" },
      nets: [{ model: { kind: "virtio" }, backend }],
    });
  }

  /** The guest's verdicts once it has ended: everything but what passed, and how many did. */
  async function verdicts(running: Running): Promise<{ readonly passed: number; readonly others: readonly string[] }> {
    const end = await running.machine.ended;
    assert.deepEqual(end, { kind: "poweroff" });
    const lines = running.text("xen-console").split(/\r?\n/);
    const passed = lines.filter((line) => line.startsWith("ok ") && !line.includes("# SKIP")).length;
    return { passed, others: lines.filter((line) => /^not ok|^Bail|SKIP/.test(line)) };
  }

  const STAYS = "ok 11 - net: unplugged with the emulated network cards, it leaves the bus # SKIP it shall stay";

  for (const vcpus of [1, 2]) {
    it(`works on a stream that it listens for, with ${vcpus} vCPUs`, async () => {
      const at = path();
      const running = await create(guest({ kind: "stream", path: at, server: true }, `${ECHO} big-frames`, vcpus));
      const other = await peer("connect", at);
      await running.machine.start();
      assert.deepEqual(await verdicts(running), { passed: 10, others: [STAYS] });
      const { echoes, wrong } = await counters(other);
      assert.ok(echoes > 100 && wrong === 0, `${echoes} echoes, ${wrong} wrong`);
    });
  }

  it("works on a stream that it connects", async () => {
    const at = path();
    await peer("listen", at);
    const running = await create(guest({ kind: "stream", path: at, server: false }, `${ECHO} big-frames`));
    await running.machine.start();
    assert.deepEqual(await verdicts(running), { passed: 10, others: [STAYS] });
  });

  it("works on datagrams", async () => {
    const [local, remote] = [path(), path()];
    await peer("dgram", remote, local);
    const running = await create(guest({ kind: "dgram", local, remote }, `${ECHO} big-frames`, 2));
    await running.machine.start();
    assert.deepEqual(await verdicts(running), { passed: 10, others: [STAYS] });
  });

  /** A UDP server of this process's that sends everything back; its port. */
  async function echoServer(address: string): Promise<number> {
    const server = createSocket("udp4");
    sockets.push(server);
    server.on("message", (message, { port, address: from }) => {
      server.send(message, port, from);
    });
    server.bind(0, address);
    await once(server, "listening");
    return server.address().port;
  }

  it("works on the user-mode network, whose gateway is the host", async function () {
    if (spawnSync("passt", ["--version"]).error !== undefined) {
      cannotRun(this, "passt is not installed");
    }
    const port = await echoServer("127.0.0.1");
    const running = await create(guest({ kind: "user" }, `echo=${port}`));
    await running.machine.start();
    const { passed, others } = await verdicts(running);
    assert.deepEqual(
      others.filter((line) => !line.includes("SKIP")),
      [],
    );
    assert.equal(passed, 9);
  });

  it("works on QEMU's user-mode network, by QEMU's stream protocol", async function () {
    if (spawnSync("qemu-system-x86_64", ["--version"]).error !== undefined) {
      cannotRun(this, "QEMU is not installed (package qemu-system-x86)");
    }
    const at = path();
    const port = await echoServer("127.0.0.1");
    const running = await create(guest({ kind: "stream", path: at, server: true }, `echo=${port}`));
    // A QEMU without a machine, that passes frames between two networks of its own.
    const networks = [`stream,id=s,addr.type=unix,addr.path=${at},server=off`, "user,id=u"];
    const hub = ["s", "u"].map((id) => `hubport,id=h${id},hubid=0,netdev=${id}`);
    const args = ["-M", "none", "-accel", "tcg", "-nodefaults", "-display", "none"];
    const qemu = spawn("qemu-system-x86_64", [...args, ...[...networks, ...hub].flatMap((net) => ["-netdev", net])], {
      stdio: "ignore",
    });
    const gone = once(qemu, "exit");
    try {
      await running.machine.start();
      const { passed, others } = await verdicts(running);
      assert.deepEqual(
        others.filter((line) => !line.includes("SKIP")),
        [],
      );
      assert.equal(passed, 9);
    } finally {
      qemu.kill();
      await gone;
    }
  });

  it("stands a flood (W3)", async () => {
    const at = path();
    const running = await create(guest({ kind: "stream", path: at, server: true }, ""));
    await peer("flood", at);
    await running.machine.start();
    const { passed, others } = await verdicts(running);
    assert.deepEqual(
      others.filter((line) => !line.includes("SKIP")),
      [],
    );
    // What needs nobody to answer.
    assert.equal(passed, 2);
  });

  it("works on a tap interface, whose other end is the host's kernel", async function () {
    const name = "xl-spec-net";
    let running: Running;
    try {
      running = await create(guest({ kind: "tap", ifname: name }, "echo=47123"));
    } catch (error) {
      cannotRun(this, (error as Error).message);
    }
    for (const args of [`addr add 10.0.2.2/24 dev ${name}`, `link set ${name} up`]) {
      assert.equal(spawnSync("ip", args.split(" ")).status, 0);
    }
    const server = createSocket("udp4");
    sockets.push(server);
    server.on("message", (message, { port, address }) => {
      server.send(message, port, address);
    });
    server.bind(47123, "10.0.2.2");
    await once(server, "listening");
    await running.machine.start();
    const { passed, others } = await verdicts(running);
    assert.deepEqual(
      others.filter((line) => !line.includes("SKIP")),
      [],
    );
    assert.equal(passed, 9);
  });

  it("leaves the bus when unplugged, and is back after a reset", async () => {
    const at = path();
    const config = guest({ kind: "stream", path: at, server: true }, `${ECHO} unplug-nics`);
    const running = await create({ ...config, noShutdown: true });
    await peer("connect", at);
    await running.machine.start();
    await running.waitFor("xen-console", "# selftest passed");
    await settle(() => running.machine.status() === "paused");
    await running.machine.reset();
    await running.machine.resume();
    const passedTwice = (): boolean => running.text("xen-console").split("# selftest passed").length === 3;
    await settle(passedTwice, 60_000);
    assert.ok(passedTwice(), running.text("xen-console"));
    assert.equal(running.text("xen-console").split("SKIP").length, 3, "more than the big frames was left out");
  });

  it("survives pauses in the middle of traffic", async () => {
    const at = path();
    const running = await create(guest({ kind: "stream", path: at, server: true }, ECHO));
    await peer("connect", at);
    await running.machine.start();
    await running.waitFor("xen-console", "ok 2 -");
    for (let i = 0; i < 5 && running.machine.status() === "running"; i++) {
      await running.machine.pause();
      await new Promise((resolve) => setTimeout(resolve, 20));
      await running.machine.resume();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal((await verdicts(running)).passed, 9);
  });

  it("goes down with the other end, and up with the next", async () => {
    const at = path();
    const config = guest({ kind: "stream", path: at, server: true }, "");
    const running = await create({ ...config, boot: { kernel: guestImage("spin.elf"), cmdline: "" } });
    await running.machine.start();
    const links = (): readonly string[] =>
      running.log.filter(({ component }) => component === "net0").map(({ message }) => message);
    for (let i = 0; i < 2; i++) {
      const child = await peer("connect", at);
      await settle(() => links().length === i * 2 + 1);
      child.disconnect();
      await settle(() => links().length === i * 2 + 2);
    }
    assert.deepEqual(links(), ["link up", "link down", "link up", "link down"]);
    assert.equal(running.machine.status(), "running");
  });

  it("leaves nothing behind: no process, no descriptor, no path", async function () {
    await spareThreadsEnded();
    const before = openDescriptors();
    const [stream, datagrams] = [path(), path()];
    const config = guest({ kind: "stream", path: stream, server: true }, "");
    const model = { kind: "virtio" } as const;
    const backends: readonly Backend[] = [
      { kind: "stream", path: stream, server: true },
      { kind: "dgram", local: datagrams, remote: path() },
      { kind: "none" },
      ...(spawnSync("passt", ["--version"]).error === undefined ? [{ kind: "user" } as const] : []),
    ];
    const machine = await Machine.create({
      ...config,
      boot: { kernel: guestImage("spin.elf") },
      nets: backends.map((backend) => ({ model, backend })),
    });
    await machine.start();
    const child = await peer("connect", stream);
    await machine[Symbol.asyncDispose]();
    assert.deepEqual([existsSync(stream), existsSync(datagrams)], [false, false]);
    const children = spawnSync("ps", ["--no-headers", "-o", "comm", "--ppid", String(process.pid)], {
      encoding: "utf8",
    });
    assert.doesNotMatch(children.stdout, /passt/);
    child.disconnect();
    await once(child, "exit");
    await settle(() => openDescriptors().length === before.length);
    assert.deepEqual(openDescriptors(), before);
  });

  describe("that cannot be plugged in", () => {
    for (const [what, backend, reason] of [
      [
        "a stream where nobody listens",
        { kind: "stream", path: "/nonexistent/net" },
        /^Cannot connect to the socket \/nonexistent\/net: nobody listens there$/,
      ],
      [
        "a path that exists",
        { kind: "dgram", local: "/tmp", remote: "/tmp/x" },
        /^Cannot receive at the socket \/tmp: the path exists already/,
      ],
      ["an interface that is no tap", { kind: "tap", ifname: "lo" }, /^Cannot use the tap interface lo: /],
      ["a forward that is none", { kind: "user", hostForwards: ["22"] }, /^Cannot forward "22": it must be /],
    ] as const) {
      it(`says so in one line and leaves nothing: ${what} (C4)`, async () => {
        await spareThreadsEnded();
        const before = openDescriptors();
        await assert.rejects(Machine.create(guest(backend, "")), { code: "CONFIG", message: reason });
        await settle(() => openDescriptors().length === before.length);
        assert.deepEqual(openDescriptors(), before);
      });
    }

    it("says so in one line and leaves nothing: passt is not installed (C4)", async () => {
      await spareThreadsEnded();
      const before = openDescriptors();
      const { PATH } = process.env;
      process.env["PATH"] = "/nonexistent";
      try {
        await assert.rejects(Machine.create(guest({ kind: "user" }, "")), {
          code: "HOST_UNSUPPORTED",
          message: "Cannot give the guest a user-mode network: passt is not installed (Debian package passt)",
        });
      } finally {
        process.env["PATH"] = PATH;
      }
      await settle(() => openDescriptors().length === before.length);
      assert.deepEqual(openDescriptors(), before);
    });
  });
});
