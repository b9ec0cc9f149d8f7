import assert from "node:assert/strict";
import { closeSync, readlinkSync } from "node:fs";
import { boundTo, connectTo, listenOn, placeText, SocketAddress } from "../../../actors/host/sockets.js";
import type { SocketPlace } from "../../../actors/host/sockets.js";
import { VmmError } from "../../../shared/errors.js";
import { hostFixture } from "../../support/host-fixture.js";
import { temporaryFolder } from "../../support/temporary.js";

describe("Sockets", () => {
  const folder = temporaryFolder();
  const host = hostFixture();
  const opened: number[] = [];

  afterEach(() => {
    for (const fd of opened.splice(0)) closeSync(fd);
  });

  function keep(fd: number): number {
    opened.push(fd);
    return fd;
  }

  function unix(name: string): SocketAddress {
    return new SocketAddress(host.scratch, { kind: "unix", path: folder.path(name) });
  }

  function inet(text: string, port: number): SocketAddress {
    return new SocketAddress(host.scratch, { kind: "inet", host: text, port });
  }

  function bytesOf(place: SocketPlace): string {
    const address = new SocketAddress(host.scratch, place);
    const { memory } = host.scratch;
    return Buffer.from(memory.buffer, address.hva - memory.hva, address.length).toString("hex");
  }

  function refusal(pattern: RegExp): (error: unknown) => boolean {
    return (error) => error instanceof VmmError && error.code === "CONFIG" && pattern.test(error.message);
  }

  it("have addresses as <linux/un.h> and <linux/in.h> lay them out", () => {
    assert.equal(bytesOf({ kind: "unix", path: "/a" }), "0100" + "2f61" + "00");
    assert.equal(
      bytesOf({ kind: "inet", host: "192.0.2.1", port: 0x1234 }),
      "0200" + "1234" + "c0000201" + "00".repeat(8),
    );
    const head = "0a00" + "1234" + "00000000";
    assert.equal(bytesOf({ kind: "inet", host: "::1", port: 0x1234 }), `${head}${"00".repeat(15)}0100000000`);
    assert.equal(
      bytesOf({ kind: "inet", host: "2001:db8::ffff:192.0.2.1", port: 0x1234 }),
      `${head}20010db8000000000000ffffc000020100000000`,
    );
    assert.equal(bytesOf({ kind: "inet", host: "::", port: 0x1234 }), `${head}${"00".repeat(20)}`);
  });

  it("are named as people write them", () => {
    assert.equal(placeText({ kind: "unix", path: "/a/b" }), "/a/b");
    assert.equal(placeText({ kind: "inet", host: "127.0.0.1", port: 80 }), "127.0.0.1:80");
    assert.equal(placeText({ kind: "inet", host: "::1", port: 80 }), "[::1]:80");
  });

  it("listen and connect", () => {
    keep(listenOn(host.libc, unix("stream")));
    const fd = keep(connectTo(host.libc, unix("stream")));
    assert.match(readlinkSync(`/proc/self/fd/${fd}`), /^socket:/);
  });

  it("receive datagrams at a path, or at a port of either family", () => {
    keep(boundTo(host.libc, unix("datagrams")));
    keep(boundTo(host.libc, inet("127.0.0.1", 0)));
    keep(boundTo(host.libc, inet("::", 0)));
  });

  it("say why they cannot be opened, and stay closed (C4)", () => {
    folder.file("file", "");
    assert.throws(() => listenOn(host.libc, unix("file")), refusal(/^Cannot listen on the socket .*: the path exists/));
    assert.throws(() => listenOn(host.libc, unix("no/such")), refusal(/there is no such folder$/));
    assert.throws(() => connectTo(host.libc, unix("nobody")), refusal(/^Cannot connect to .*: nobody listens there$/));
    assert.throws(() => connectTo(host.libc, unix("file")), refusal(/nobody listens there$/));
    assert.throws(() => boundTo(host.libc, unix("file")), refusal(/^Cannot receive at the socket .*: the path exists/));
    assert.throws(
      () => boundTo(host.libc, inet("192.0.2.77", 4000)),
      refusal(/^Cannot receive at the socket 192\.0\.2\.77:4000: the host has no such address$/),
    );
  });
});
