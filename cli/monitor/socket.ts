/** The monitor on a Unix socket. Loaded only when a command line asks for it. */
import { statSync, unlinkSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { MonitorSocket } from "../options/chardevs.js";
import { usageError } from "../usage.js";
import type { MonitorHost } from "./command.js";
import { MonitorSession } from "./session.js";

/** Answers that a client may leave unread before it is dropped, in bytes. */
const MAX_UNREAD = 0x10_0000;
const MAX_CLIENTS = 16;

export interface OpenMonitor extends AsyncDisposable {
  readonly path: string;
}

/** @throws UsageError when the socket cannot be made or connected to */
export async function openMonitorSocket(socket: MonitorSocket, host: MonitorHost): Promise<OpenMonitor> {
  return socket.server ? listen(socket.path, host) : connect(socket.path, host);
}

async function listen(path: string, host: MonitorHost): Promise<OpenMonitor> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    serve(client, host);
  });
  server.maxConnections = MAX_CLIENTS;
  await listening(server, path);
  server.unref();
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      // Closing removes the socket's file.
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listening(server: Server, path: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const error = await tryListen(server, path);
    if (error === undefined) return;
    if (attempt > 0 || error.code !== "EADDRINUSE" || !(await isStale(path))) {
      throw usageError("--monitor", `cannot listen on ${path}: ${error.message}`);
    }
    // Left behind by a process that was killed: nobody answers there.
    unlinkSync(path);
  }
}

function tryListen(server: Server, path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen(path, () => {
      server.off("error", resolve);
      resolve(undefined);
    });
  });
}

/** True when `path` is a socket at which nobody listens; other files are not ours to remove. */
function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => {
      // A plain file refuses connections too.
      resolve(error.code === "ECONNREFUSED" && statSync(path, { throwIfNoEntry: false })?.isSocket() === true);
    });
  });
}

async function connect(path: string, host: MonitorHost): Promise<OpenMonitor> {
  const client = createConnection(path);
  await new Promise<void>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("error", (error) => {
      reject(usageError("--monitor", `cannot connect to ${path}: ${error.message}`));
    });
  });
  client.unref();
  serve(client, host);
  return {
    path,
    [Symbol.asyncDispose]() {
      client.destroy();
      return Promise.resolve();
    },
  };
}

function serve(client: Socket, host: MonitorHost): void {
  const session = new MonitorSession(host, {
    write(text) {
      // A terminal program at the other end wants both.
      client.write(text.replaceAll("\n", "\r\n"));
      if (client.writableLength > MAX_UNREAD) client.destroy();
    },
  });
  client.on("error", () => client.destroy());
  client.on("data", (chunk: Uint8Array) => {
    session.input(chunk);
  });
  session.prompt();
}
