import assert from "node:assert/strict";
import { closeSync, rmSync } from "node:fs";
import { DatagramWire } from "../../../actors/host/datagram-wire.js";
import { Iovecs } from "../../../actors/host/iovecs.js";
import { SocketMessages } from "../../../actors/host/socket-messages.js";
import { boundTo, SocketAddress } from "../../../actors/host/sockets.js";
import type { SocketPlace } from "../../../actors/host/sockets.js";
import type { Scratch } from "../../../actors/host/kvm.js";
import { frame, GuestPieces } from "../../support/frames.js";
import { hostFixture } from "../../support/host-fixture.js";
import { temporaryFolder } from "../../support/temporary.js";

describe("DatagramWire", () => {
  const folder = temporaryFolder();
  const guest = new GuestPieces(hostFixture());
  const opened: number[] = [];

  afterEach(() => {
    for (const fd of opened.splice(0)) closeSync(fd);
    for (const name of ["a", "b"]) rmSync(folder.path(name), { force: true });
  });

  function end(scratch: Scratch, local: SocketPlace, remote: SocketPlace): DatagramWire {
    const fd = boundTo(guest.host.libc, new SocketAddress(scratch, local));
    opened.push(fd);
    return new DatagramWire({ ...guest.host, scratch }, fd, new SocketAddress(scratch, remote));
  }

  function pair(a: SocketPlace, b: SocketPlace): readonly [DatagramWire, DatagramWire] {
    const { scratch } = hostFixture();
    return [end(scratch, a, b), end(scratch, b, a)];
  }

  function unixPair(): readonly [DatagramWire, DatagramWire] {
    return pair({ kind: "unix", path: folder.path("a") }, { kind: "unix", path: folder.path("b") });
  }

  function passes(from: DatagramWire, to: DatagramWire, bytes: number): void {
    const data = frame(bytes, bytes);
    guest.holding(data, 0x1000);
    from.send(guest.pieces([0, 12], [0x1000, 10], [0x1000 + 10, bytes - 10]), 12);
    assert.equal(to.arriving(), bytes);
    assert.equal(to.arriving(), bytes);
    assert.equal(to.receive(guest.pieces([0, 12], [0x2_0000, 5], [0x2_1000, bytes]), 12), true);
    assert.deepEqual(guest.bytes(0x2_0000, 5), data.slice(0, 5));
    assert.deepEqual(guest.bytes(0x2_1000, bytes - 5), data.slice(5));
  }

  it("carries frames between Unix sockets, both ways", () => {
    const [a, b] = unixPair();
    passes(a, b, 14);
    passes(b, a, 1514);
    passes(a, b, 65_535);
    assert.equal(a.arriving(), 0);
  });

  it("carries frames by UDP, IPv4 and IPv6", () => {
    const [a, b] = pair(
      { kind: "inet", host: "127.0.0.1", port: 47_001 },
      { kind: "inet", host: "127.0.0.1", port: 47_002 },
    );
    passes(a, b, 1514);
    passes(b, a, 65_507);
    const [c, d] = pair({ kind: "inet", host: "::1", port: 47_003 }, { kind: "inet", host: "::1", port: 47_004 });
    passes(c, d, 1514);
  });

  it("does not send what is no frame: 0 and 13 bytes, more than can be", () => {
    const [a, b] = unixPair();
    for (const bytes of [0, 13, 70_000, 64]) a.send(guest.pieces([0, bytes]), 0);
    assert.equal(b.arriving(), 64);
  });

  it("passes over datagrams that are no frames", () => {
    const { scratch } = hostFixture();
    const b = end(
      scratch,
      { kind: "inet", host: "127.0.0.1", port: 47_002 },
      { kind: "inet", host: "127.0.0.1", port: 47_001 },
    );
    const { libc } = guest.host;
    const sender = new SocketAddress(scratch, { kind: "inet", host: "127.0.0.1", port: 47_001 });
    const target = new SocketAddress(scratch, { kind: "inet", host: "127.0.0.1", port: 47_002 });
    const fd = boundTo(libc, sender);
    opened.push(fd);
    const messages = new SocketMessages(libc, scratch);
    const iovecs = new Iovecs({ ...guest.host, scratch }, 1);
    for (const bytes of [0, 1, 13, 20]) {
      iovecs.clear();
      iovecs.gather(guest.holding(frame(bytes)), 0, bytes);
      assert.equal(messages.send(fd, iovecs, target), bytes);
    }
    assert.equal(b.arriving(), 20);
  });

  it("throws away what is wanted by nobody", () => {
    const [a, b] = unixPair();
    a.send(guest.holding(frame(100)), 0);
    a.send(guest.holding(frame(50, 2)), 0);
    assert.equal(b.arriving(), 100);
    b.discard();
    assert.equal(b.arriving(), 50);
  });

  it("loses what nobody receives, and what nobody has room for", () => {
    const { scratch } = hostFixture();
    const a = end(scratch, { kind: "unix", path: folder.path("a") }, { kind: "unix", path: folder.path("b") });
    a.send(guest.holding(frame(100)), 0);
    const b = end(scratch, { kind: "unix", path: folder.path("b") }, { kind: "unix", path: folder.path("a") });
    for (let i = 0; i < 2000; i++) a.send(guest.holding(frame(1514)), 0);
    let frames = 0;
    while (b.arriving() !== 0) {
      b.discard();
      frames++;
    }
    assert.ok(frames > 0 && frames < 2000, `${frames} frames`);
    passes(a, b, 100);
  });

  it("goes on after a port that nobody listens on has answered", () => {
    const { scratch } = hostFixture();
    const here = { kind: "inet", host: "127.0.0.1", port: 47_001 } as const;
    const there = { kind: "inet", host: "127.0.0.1", port: 47_002 } as const;
    const a = end(scratch, here, there);
    a.send(guest.holding(frame(100)), 0);
    assert.equal(a.arriving(), 0);
    const b = end(scratch, there, here);
    passes(a, b, 100);
    passes(b, a, 100);
  });
});
