import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createConnection, createServer } from "node:net";
import type { Socket } from "node:net";
import { once } from "node:events";
import { openChardev } from "../../../actors/host/chardev.js";
import type { Chardev } from "../../../actors/host/fd-chardev.js";
import type { ChardevConfig } from "../../../shared/config.js";
import { VmmError } from "../../../shared/errors.js";
import { hostFixture } from "../../support/host-fixture.js";
import type { HostFixture } from "../../support/host-fixture.js";
import { temporaryFolder } from "../../support/temporary.js";

const MS = 1e6;

/** A character device with a reader that has room for so many bytes. */
class Opened {
  readonly host: HostFixture = hostFixture();
  readonly chardev: Chardev;
  received = "";
  room = 1 << 20;
  writable = 0;

  constructor(config: Exclude<ChardevConfig, { kind: "stream" }>) {
    this.chardev = openChardev(this.host, config, {
      room: () => this.room,
      input: (bytes) => {
        this.room -= bytes.length;
        this.received += Buffer.from(bytes).toString("latin1");
      },
      writable: () => {
        this.writable++;
      },
    });
  }

  /** Waits in the poller, then turns Node's event loop, until `done()` or for some seconds. */
  async until(done: () => boolean): Promise<void> {
    for (let i = 0; i < 500 && !done(); i++) {
      this.host.poller.wait(2 * MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert(done(), "it did not happen in time");
  }

  /** How many times the poller finds something within `ms`: a descriptor that is always ready spins. */
  wakeUps(ms: number): number {
    const until = performance.now() + ms;
    let count = 0;
    while (performance.now() < until) {
      this.host.poller.wait(5 * MS);
      count++;
    }
    return count;
  }

  text(text: string): number {
    return this.chardev.write(Buffer.from(text, "latin1"));
  }
}

function refusal(pattern: RegExp) {
  return (error: unknown): boolean =>
    error instanceof VmmError &&
    error.code === "CONFIG" &&
    pattern.test(error.message) &&
    !error.message.includes("\n");
}

describe("Character devices", () => {
  const folder = temporaryFolder();
  const opened: Opened[] = [];
  const sockets: Socket[] = [];
  let paths = 0;
  const fresh = (): string => folder.path(`path${paths++}`);

  function open(config: Exclude<ChardevConfig, { kind: "stream" }>): Opened {
    const made = new Opened(config);
    opened.push(made);
    return made;
  }

  function client(path: string): Socket {
    const socket = createConnection(path);
    socket.on("error", () => undefined);
    sockets.push(socket);
    return socket;
  }

  function collect(socket: Socket): { text: string } {
    const collected = { text: "" };
    socket.on("data", (chunk: Buffer) => {
      collected.text += chunk.toString("latin1");
    });
    return collected;
  }

  afterEach(() => {
    for (const { chardev } of opened.splice(0)) chardev.close();
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  describe("to nowhere", () => {
    it("take everything", () => {
      assert.equal(open({ kind: "null" }).text("gone"), 4);
    });
  });

  describe("to a file", () => {
    it("replace it, or append to it", () => {
      const path = folder.file("output", "old");
      open({ kind: "file", path, append: false }).text("new");
      assert.equal(readFileSync(path, "utf8"), "new");
      open({ kind: "file", path, append: true }).text(" more");
      assert.equal(readFileSync(path, "utf8"), "new more");
    });

    it("take more than one transfer's worth at once", () => {
      const path = fresh();
      const text = "0123456789abcdef".repeat(1000);
      assert.equal(open({ kind: "file", path, append: false }).text(text), text.length);
      assert.equal(readFileSync(path, "utf8"), text);
    });

    it("say what is wrong with the path", () => {
      const cases = [
        [folder.path("."), /: it is a directory$/],
        [`${fresh()}/below`, /: there is no such file$/],
      ] as const;
      for (const [path, pattern] of cases) {
        assert.throws(() => new Opened({ kind: "file", path, append: false }), refusal(pattern));
      }
    });

    it("lose what a full disk does not take, and go on", () => {
      assert.equal(open({ kind: "file", path: "/dev/full", append: true }).text("lost"), 4);
    });
  });

  describe("to a pipe", () => {
    function pipe(): string {
      const path = fresh();
      assert.equal(spawnSync("mkfifo", [path]).status, 0);
      return path;
    }

    it("refuse one that nobody reads, instead of waiting for ever", () => {
      const path = pipe();
      assert.throws(
        () => new Opened({ kind: "file", path, append: false }),
        refusal(/it is a pipe that nobody reads$/),
      );
    });

    it("say how much went into a full one, and when there is room again", async () => {
      const path = pipe();
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const output = open({ kind: "file", path, append: false });
      const flood = new Uint8Array(1 << 20);
      const taken = output.chardev.write(flood);
      assert(taken > 0 && taken < flood.length);
      assert.equal(output.wakeUps(50) < 20, true);
      assert.equal(output.writable, 0);
      const rest = new Uint8Array(1 << 20);
      for (let got = 0; got < taken;) got += readSync(reader, rest);
      await output.until(() => output.writable === 1);
      assert.equal(output.text("more"), 4);
      closeSync(reader);
    });

    it("let the guest go on when the reader leaves a full one", async () => {
      const path = pipe();
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const output = open({ kind: "file", path, append: false });
      output.chardev.write(new Uint8Array(1 << 20));
      closeSync(reader);
      await output.until(() => output.writable === 1);
      assert.equal(output.text("lost"), 4);
      assert.equal(output.wakeUps(50) < 20, true);
    });
  });

  describe("to a pty", () => {
    const terminal = (path: string): number => openSync(path, constants.O_RDWR | constants.O_NOCTTY);

    it("carry bytes both ways as they are", async () => {
      const pty = open({ kind: "pty" });
      const fd = terminal(pty.chardev.place);
      assert.equal(pty.text("login:\r\n\x03"), 9);
      const target = Buffer.alloc(64);
      assert.equal(target.toString("latin1", 0, readSync(fd, target)), "login:\r\n\x03");
      writeSync(fd, "root\r\x03");
      await pty.until(() => pty.received === "root\r\x03");
      closeSync(fd);
    });

    it("do not give the guest its own output back as input", () => {
      const pty = open({ kind: "pty" });
      pty.text("boot message\n");
      pty.wakeUps(30);
      assert.equal(pty.received, "");
    });

    it("make no guest wait while no terminal is there, and do not spin", () => {
      const pty = open({ kind: "pty" });
      const flood = new Uint8Array(1 << 20).fill(0x2e);
      assert.equal(pty.chardev.write(flood), flood.length);
      assert.equal(pty.wakeUps(50) < 20, true);
    });

    it("notice a terminal that comes back after another has left", async () => {
      const pty = open({ kind: "pty" });
      const first = terminal(pty.chardev.place);
      closeSync(first);
      pty.wakeUps(20);
      const second = terminal(pty.chardev.place);
      writeSync(second, "again");
      await pty.until(() => pty.received === "again");
      closeSync(second);
    });
  });

  describe("to a socket that listens", () => {
    it("serve one client at a time, and the next when one has left", async () => {
      const path = fresh();
      const server = open({ kind: "socket", path, server: true, wait: false });
      assert.equal(server.text("to nobody"), 9);
      const first = client(path);
      const firstText = collect(first);
      await server.until(() => server.writable === 1);
      await server.chardev.connected;
      const second = client(path);
      const secondText = collect(second);
      first.write("one");
      second.write("two");
      await server.until(() => server.received === "one");
      server.text("hello one");
      await server.until(() => firstText.text === "hello one");
      first.end();
      await server.until(() => server.received === "onetwo");
      server.text("hello two");
      await server.until(() => secondText.text === "hello two");
      assert.equal(firstText.text, "hello one");
    });

    it("serve any number of clients one after the other", async () => {
      const path = fresh();
      const server = open({ kind: "socket", path, server: true, wait: false });
      for (let i = 0; i < 40; i++) {
        const socket = client(path);
        socket.end("x");
        await server.until(() => server.received.length === i + 1);
      }
    });

    it("hold back input that there is no room for", async () => {
      const path = fresh();
      const server = open({ kind: "socket", path, server: true, wait: false });
      server.room = 3;
      client(path).write("abcdef");
      await server.until(() => server.received === "abc");
      assert.equal(server.wakeUps(50) < 20, true);
      server.room = 100;
      server.chardev.resumeInput();
      await server.until(() => server.received === "abcdef");
    });

    it("hold the guest back while a client does not read", async () => {
      const path = fresh();
      const server = open({ kind: "socket", path, server: true, wait: false });
      const socket = client(path);
      await once(socket, "connect");
      await server.until(() => server.writable === 1);
      const flood = new Uint8Array(4 << 20);
      const taken = server.chardev.write(flood);
      assert(taken > 0 && taken < flood.length);
      assert.equal(server.chardev.write(flood), 0);
      socket.destroy();
      // It waits no more when that client leaves.
      await server.until(() => server.writable >= 2);
      assert.equal(server.chardev.write(flood), flood.length);
      assert.equal(server.wakeUps(50) < 20, true);
    });

    it("let the guest go on when a client that does not read says that it will not write", async () => {
      const path = fresh();
      const server = open({ kind: "socket", path, server: true, wait: false });
      const socket = client(path);
      await once(socket, "connect");
      await server.until(() => server.writable === 1);
      while (server.text("x".repeat(4096)) === 4096);
      // Half of the connection: poll() says that there is something to read, and nothing of room to write.
      socket.end();
      await server.until(() => server.writable === 2);
      assert.equal(server.text("lost"), 4, "nobody is there any more");
    });

    it("remove their path when closed, even if somebody has done that before", () => {
      const path = fresh();
      new Opened({ kind: "socket", path, server: true, wait: false }).chardev.close();
      assert.equal(existsSync(path), false);
      const other = new Opened({ kind: "socket", path, server: true, wait: false });
      rmSync(path);
      other.chardev.close();
    });

    it("say what is wrong with the path (C4)", () => {
      writeFileSync(folder.path("file"), "");
      const cases = [
        [folder.path("file"), /^Cannot listen on the socket .*file: the path exists already/],
        [`${fresh()}/below`, /: there is no such folder$/],
      ] as const;
      for (const [path, pattern] of cases) {
        assert.throws(() => new Opened({ kind: "socket", path, server: true, wait: false }), refusal(pattern));
      }
    });
  });

  describe("to a socket of another's", () => {
    it("connect and carry bytes both ways", async () => {
      const path = fresh();
      const listener = createServer((socket) => {
        sockets.push(socket);
        socket.on("data", (chunk) => socket.write(`<${chunk.toString("latin1")}>`));
      });
      await new Promise<void>((resolve) => listener.listen(path, resolve));
      const chardev = open({ kind: "socket", path, server: false, wait: true });
      chardev.text("ping");
      await chardev.until(() => chardev.received === "<ping>");
      listener.close();
    });

    it("go on without it when it leaves", async () => {
      const path = fresh();
      const listener = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => listener.listen(path, resolve));
      const chardev = open({ kind: "socket", path, server: false, wait: true });
      listener.close();
      chardev.wakeUps(20);
      assert.equal(chardev.text("nobody is there"), 15);
      assert.equal(chardev.wakeUps(50) < 20, true);
    });

    it("say when nobody listens", () => {
      for (const path of [fresh(), folder.file("plain", "")]) {
        assert.throws(
          () => new Opened({ kind: "socket", path, server: false, wait: true }),
          refusal(/^Cannot connect to the socket .*: nobody listens there$/),
        );
      }
    });
  });
});
