import assert from "node:assert/strict";
import { closeSync, readlinkSync, readSync, rmSync, writeSync } from "node:fs";
import { LinkWants, NetLink } from "../../actors/net-link.js";
import { createEventfd } from "../../actors/host/eventfd.js";
import { openNet } from "../../actors/host/open-net.js";
import { SYS } from "../../actors/host/libc.js";
import { connectTo, listenOn, SOCKET_FLAGS, SocketAddress } from "../../actors/host/sockets.js";
import { resolveConfig } from "../../shared/config.js";
import type { MachineConfig } from "../../shared/config.js";
import { frame, GuestPieces } from "../support/frames.js";
import { hostFixture } from "../support/host-fixture.js";
import { temporaryFolder } from "../support/temporary.js";

type Backend = NonNullable<MachineConfig["nets"]>[number]["backend"];

const GONE = "the other side closed the connection";
const CAME = "the other side connected";

describe("NetLink", () => {
  const folder = temporaryFolder();
  const guest = new GuestPieces(hostFixture());
  // Each link keeps scratch memory for as long as its thread lives.
  let fixture = hostFixture();
  const { libc } = fixture;
  const fds: number[] = [];
  const peers: number[] = [];
  const paths: string[] = [];
  let link: NetLink;
  let slot = -1;
  let changes: (readonly [up: boolean, reason: string])[] = [];

  afterEach(() => {
    link.rest();
    for (const fd of [...fds.splice(0), ...peers.splice(0)]) closeSync(fd);
    for (const path of paths.splice(0)) rmSync(path, { force: true });
    changes = [];
  });

  function keep(fd: number): number {
    fds.push(fd);
    return fd;
  }

  function plugIn(backend: Backend): void {
    const [config] = resolveConfig({ boot: { kernel: "k" }, nets: [{ model: { kind: "virtio" }, backend }] }).nets;
    assert.ok(config !== undefined);
    fixture = hostFixture();
    const { scratch } = fixture;
    const host = { libc, scratch, keep, keepPath: (path: string) => paths.push(path) };
    const open = openNet(host, config.backend);
    slot = open.fd;
    const linkHost = { ...guest.host, ...fixture, placeholder: keep(createEventfd(libc)) };
    link = new NetLink(linkHost, config, open, {
      changed: (up, reason) => {
        changes.push([up, reason]);
      },
    });
  }

  function address(name: string): SocketAddress {
    return new SocketAddress(fixture.scratch, { kind: "unix", path: folder.path(name) });
  }

  function visit(name: string): number {
    const fd = connectTo(libc, address(name));
    peers.push(fd);
    return fd;
  }

  function leave(fd: number): void {
    peers.splice(peers.indexOf(fd), 1);
    closeSync(fd);
  }

  /** Waits as the card's thread does. */
  function wait(ms = 5, wants: number = LinkWants.arrival): void {
    link.watch(wants);
    fixture.poller.wait(ms * 1e6);
    link.wire.arriving();
    link.settle();
    link.watch(wants);
  }

  function isFull(): boolean {
    return link.wire.full;
  }

  function put(fd: number, bytes: Uint8Array): void {
    writeSync(fd, Buffer.concat([Uint8Array.of(0, 0, 0, bytes.length), bytes]));
  }

  it("takes one client after the other, and tells of each change (W2)", () => {
    plugIn({ kind: "stream", path: folder.path("s"), server: true });
    assert.equal(link.up, false);
    wait();
    for (let i = 0; i < 3; i++) {
      const client = visit("s");
      wait();
      assert.equal(link.up, true);
      put(client, frame(60, i));
      wait();
      assert.equal(link.wire.arriving(), 60);
      assert.equal(link.wire.receive(guest.pieces([0, 60]), 0), true);
      assert.deepEqual(guest.bytes(0, 60), frame(60, i));
      leave(client);
      wait();
      assert.equal(link.up, false);
    }
    assert.deepEqual(
      changes,
      [0, 1, 2].flatMap(() => [
        [true, CAME],
        [false, GONE],
      ]),
    );
  });

  it("lets a second client wait until the first has left (W2)", () => {
    plugIn({ kind: "stream", path: folder.path("s"), server: true });
    wait();
    const first = visit("s");
    wait();
    const second = visit("s");
    put(second, frame(70));
    wait();
    assert.equal(link.wire.arriving(), 0);
    leave(first);
    wait();
    wait();
    wait();
    assert.equal(link.wire.arriving(), 70);
  });

  it("keeps no descriptor of a connection that is over", () => {
    plugIn({ kind: "stream", path: folder.path("s"), server: true });
    wait();
    const client = visit("s");
    wait();
    assert.match(readlinkSync(`/proc/self/fd/${slot}`), /^socket:/);
    leave(client);
    wait();
    assert.match(readlinkSync(`/proc/self/fd/${slot}`), /eventfd/);
  });

  it("notices that the other side has gone while nothing is wanted of it, and does not spin", () => {
    plugIn({ kind: "stream", path: folder.path("s"), server: true });
    wait();
    const client = visit("s");
    wait(5, 0);
    put(client, frame(60));
    const before = performance.now();
    link.watch(0);
    fixture.poller.wait(50e6);
    assert.ok(performance.now() - before > 40, "data that is not wanted woke the thread");
    leave(client);
    link.watch(0);
    fixture.poller.wait(50e6);
    link.settle();
    assert.deepEqual(changes.at(-1), [false, GONE]);
  });

  it("hangs up on who breaks the protocol, and takes the next", () => {
    plugIn({ kind: "stream", path: folder.path("s"), server: true });
    wait();
    const client = visit("s");
    wait();
    writeSync(client, Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    wait();
    assert.deepEqual(changes.at(-1), [false, "the other side sent a frame of 4294967295 bytes"]);
    const buffer = Buffer.alloc(1);
    assert.equal(readSync(client, buffer), 0);
    visit("s");
    wait();
    assert.equal(link.up, true);
  });

  it("sends on when there is room again", () => {
    plugIn({ kind: "stream", path: folder.path("s"), server: true });
    wait();
    const client = visit("s");
    wait();
    while (!isFull()) link.wire.send(guest.holding(frame(60_000)), 0);
    const before = performance.now();
    link.watch(LinkWants.room);
    fixture.poller.wait(20e6);
    assert.ok(performance.now() - before > 15, "there was no room");
    const buffer = Buffer.alloc(1 << 20);
    while (isFull()) {
      readSync(client, buffer);
      fixture.poller.wait(20e6);
    }
  });

  it("connects again and again to who is there only at times", () => {
    plugIn({ kind: "stream", path: folder.path("s"), server: false, reconnectMs: 10 });
    assert.equal(link.up, false);
    wait(30);
    const listener = listenOn(libc, address("s"));
    peers.push(listener);
    wait(30);
    wait(30);
    assert.equal(link.up, true);
    const served = libc.syscall(SYS.accept4, listener, 0, 0, SOCKET_FLAGS);
    closeSync(served);
    wait(30);
    assert.equal(link.up, false);
    wait(30);
    wait(30);
    assert.deepEqual(
      changes.map(([up]) => up),
      [true, false, true],
    );
    rmSync(folder.path("s"));
  });

  it("stays without a connection that is not to be made again", () => {
    const listener = listenOn(libc, address("s"));
    peers.push(listener);
    plugIn({ kind: "stream", path: folder.path("s"), server: false });
    assert.equal(link.up, true);
    closeSync(libc.syscall(SYS.accept4, listener, 0, 0, SOCKET_FLAGS));
    wait();
    wait();
    assert.deepEqual(changes, [[false, GONE]]);
    rmSync(folder.path("s"));
  });

  it("waits for nothing while it rests, and goes on afterwards", () => {
    plugIn({ kind: "stream", path: folder.path("s"), server: true });
    wait();
    link.rest();
    visit("s");
    fixture.poller.wait(5e6);
    assert.equal(link.up, false);
    wait();
    assert.equal(link.up, true);
    link.rest();
    put(peers[0] ?? -1, frame(60));
    const before = performance.now();
    fixture.poller.wait(20e6);
    assert.ok(performance.now() - before > 15, "a link at rest woke the thread");
    wait();
    assert.equal(link.wire.arriving(), 60);
  });

  it("is up from the start with datagrams, and down with no cable", () => {
    plugIn({ kind: "dgram", local: folder.path("a"), remote: folder.path("b") });
    assert.equal(link.up, true);
    wait();
    link.rest();
    plugIn({ kind: "none" });
    assert.equal(link.up, false);
    wait();
    link.wire.send(guest.holding(frame(60)), 0);
    assert.equal(link.wire.arriving(), 0);
    assert.deepEqual(changes, []);
  });
});
