import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openMonitorSocket } from "../../../cli/monitor/socket.js";
import { FakeMachine } from "../fake-machine.js";

/** What `client` sends until the text ends in a prompt. */
function untilPrompt(client: Socket, prompts: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    client.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.split("(xenolith) ").length > prompts) resolve(text);
    });
  });
}

describe("openMonitorSocket()", () => {
  const host = { machine: new FakeMachine(), version: "1.2.3", quit: () => undefined };
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "xenolith-monitor-"));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("answers a client, and takes its file away in the end", async () => {
    const path = join(folder, "monitor");
    const monitor = await openMonitorSocket({ path, server: true }, host);
    const client = createConnection(path);
    client.write("info status\n");
    assert.match(await untilPrompt(client, 2), /VM status: running\r\n\(xenolith\) $/);
    client.destroy();
    await monitor[Symbol.asyncDispose]();
    assert.equal(existsSync(path), false);
  });

  it("connects to a server", async () => {
    const path = join(folder, "server");
    const server = createServer().listen(path);
    const connected = new Promise<Socket>((resolve) => server.once("connection", resolve));
    await new Promise((resolve) => server.once("listening", resolve));
    const monitor = await openMonitorSocket({ path, server: false }, host);
    assert.match(await untilPrompt(await connected, 1), /monitor/);
    await monitor[Symbol.asyncDispose]();
    await new Promise((resolve) => server.close(resolve));
  });

  it("leaves a file alone that is no socket (C4)", async () => {
    const path = join(folder, "file");
    writeFileSync(path, "precious");
    await assert.rejects(openMonitorSocket({ path, server: true }, host), {
      name: "UsageError",
      message: /cannot listen on/,
    });
    assert.equal(existsSync(path), true);
  });

  it("refuses a socket at which somebody else answers (C4)", async () => {
    const path = join(folder, "taken");
    const first = await openMonitorSocket({ path, server: true }, host);
    await assert.rejects(openMonitorSocket({ path, server: true }, host), { name: "UsageError" });
    await first[Symbol.asyncDispose]();
  });

  it("names the path that cannot be connected to", async () => {
    const path = join(folder, "nobody");
    await assert.rejects(openMonitorSocket({ path, server: false }, host), {
      name: "UsageError",
      message: /--monitor: cannot connect to .*nobody/,
    });
  });
});
