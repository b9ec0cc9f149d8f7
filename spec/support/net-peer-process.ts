/**
 * The other end of a network card's cable, as a process of its own: an {@link EchoHost} behind a stream or datagram socket.
 *
 *   net-peer-process.js listen PATH | connect PATH | flood PATH | dgram LOCAL REMOTE
 *
 * Its parent hears "ready", and its counters when it asks by any message.
 */
import { createConnection, createServer } from "node:net";
import type { Socket } from "node:net";
import { DatagramWire } from "../../actors/host/datagram-wire.js";
import { boundTo, SocketAddress } from "../../actors/host/sockets.js";
import { EchoHost } from "./echo-host.js";
import { GuestPieces } from "./frames.js";
import { hostFixture } from "./host-fixture.js";

const host = new EchoHost();
const [mode = "", path = "", remote = ""] = process.argv.slice(2);

process.on("message", () => process.send?.(host.counters));
process.once("disconnect", () => process.exit(0));

function serve(socket: Socket): void {
  let waiting = Buffer.alloc(0);
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 4) {
      const length = waiting.readUInt32BE();
      if (waiting.length < 4 + length) break;
      const answer = host.answer(waiting.subarray(4, 4 + length));
      waiting = waiting.subarray(4 + length);
      if (answer === undefined) continue;
      const head = Buffer.alloc(4);
      head.writeUInt32BE(answer.length);
      socket.write(Buffer.concat([head, answer]));
    }
  });
}

/** Connects, and sends broadcasts as fast as they go. */
function flood(): void {
  const one = Buffer.alloc(4 + 200, 0xff);
  one.writeUInt32BE(200);
  const many = Buffer.concat(Array.from({ length: 100 }, () => one));
  const socket = createConnection(path, () => process.send?.("ready"));
  const pump = (): void => {
    while (socket.write(many));
  };
  socket.on("error", () => undefined);
  socket.on("drain", pump);
  pump();
}

/** Node has no Unix datagrams: the wire of the machine's own, the other way round. */
function serveDatagrams(): void {
  const fixture = hostFixture();
  const guest = new GuestPieces(fixture);
  const fd = boundTo(fixture.libc, new SocketAddress(fixture.scratch, { kind: "unix", path }));
  const address = new SocketAddress(fixture.scratch, { kind: "unix", path: remote });
  const wire = new DatagramWire({ ...guest.host, ...fixture }, fd, address);
  setInterval(() => {
    for (let length = wire.arriving(); length > 0; length = wire.arriving()) {
      wire.receive(guest.pieces([0, length]), 0);
      const answer = host.answer(guest.bytes(0, length));
      if (answer !== undefined) wire.send(guest.holding(answer), 0);
    }
  }, 1);
}

if (mode === "listen") createServer(serve).listen(path, () => process.send?.("ready"));
else if (mode === "connect") serve(createConnection(path, () => process.send?.("ready")));
else if (mode === "flood") flood();
else {
  serveDatagrams();
  process.send?.("ready");
}
