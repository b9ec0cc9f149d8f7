import assert from "node:assert/strict";
import { closeSync, readlinkSync, rmSync } from "node:fs";
import { openNet } from "../../../actors/host/open-net.js";
import type { OpenNet, OpenNetHost } from "../../../actors/host/open-net.js";
import { listenOn, SocketAddress } from "../../../actors/host/sockets.js";
import type { NetBackend } from "../../../shared/config.js";
import { VmmError } from "../../../shared/errors.js";
import { hostFixture } from "../../support/host-fixture.js";
import { temporaryFolder } from "../../support/temporary.js";

describe("openNet()", () => {
  const folder = temporaryFolder();
  const fixture = hostFixture();
  const fds: number[] = [];
  const paths: string[] = [];
  const host: OpenNetHost = {
    ...fixture,
    keep(fd) {
      fds.push(fd);
      return fd;
    },
    keepPath(path) {
      paths.push(path);
    },
  };

  afterEach(() => {
    for (const fd of fds.splice(0)) closeSync(fd);
    for (const path of paths.splice(0)) rmSync(path);
  });

  function open(backend: NetBackend): OpenNet {
    return openNet(host, backend);
  }

  function kindOf(fd: number): string {
    return readlinkSync(`/proc/self/fd/${fd}`).replace(/:?\[.*/, "");
  }

  function refusal(pattern: RegExp): (error: unknown) => boolean {
    return (error) => error instanceof VmmError && error.code === "CONFIG" && pattern.test(error.message);
  }

  it("opens nothing for a card without a cable", () => {
    assert.deepEqual(open({ kind: "none" }), { fd: -1, connected: false, listener: -1 });
    assert.deepEqual(fds, []);
  });

  it("keeps a descriptor for the user-mode network, which is started later", () => {
    const { fd, connected } = open({ kind: "user" });
    assert.deepEqual([kindOf(fd), connected, fds], ["anon_inode", true, [fd]]);
  });

  it("listens for a stream, with a descriptor for who will come", () => {
    const { fd, connected, listener } = open({ kind: "stream", path: folder.path("s"), server: true });
    assert.deepEqual([kindOf(fd), kindOf(listener), connected], ["anon_inode", "socket", false]);
    assert.deepEqual(paths, [folder.path("s")]);
    assert.deepEqual(fds, [listener, fd]);
  });

  it("connects a stream at once, and leaves the path to whoever listens", () => {
    host.keep(listenOn(fixture.libc, new SocketAddress(fixture.scratch, { kind: "unix", path: folder.path("s") })));
    const { fd, connected } = open({ kind: "stream", path: folder.path("s"), server: false });
    assert.deepEqual([kindOf(fd), connected, paths], ["socket", true, []]);
    rmSync(folder.path("s"));
  });

  it("waits for the other side only when told to try again", () => {
    const path = folder.path("nobody");
    assert.throws(
      () => open({ kind: "stream", path, server: false }),
      refusal(/^Cannot connect .*nobody listens there$/),
    );
    assert.throws(() => open({ kind: "stream", path, server: false, reconnectMs: 0 }), refusal(/nobody listens/));
    const { fd, connected } = open({ kind: "stream", path, server: false, reconnectMs: 100 });
    assert.deepEqual([kindOf(fd), connected], ["anon_inode", false]);
  });

  it("receives datagrams at a path", () => {
    const { fd, connected } = open({ kind: "dgram", local: folder.path("d"), remote: folder.path("e") });
    assert.deepEqual([kindOf(fd), connected, paths], ["socket", true, [folder.path("d")]]);
  });

  it("receives datagrams at a port", () => {
    const end = { host: "127.0.0.1", port: 47_011 };
    const { fd, connected } = open({ kind: "dgram", local: end, remote: end });
    assert.deepEqual([kindOf(fd), connected, paths], ["socket", true, []]);
    assert.throws(
      () => open({ kind: "dgram", local: end, remote: end }),
      refusal(/47011: another process uses the port$/),
    );
  });

  it("leaves a path alone that it did not make (C4)", () => {
    folder.file("file", "");
    assert.throws(() => open({ kind: "dgram", local: folder.path("file"), remote: "/x" }), refusal(/the path exists/));
    assert.throws(() => open({ kind: "stream", path: folder.path("file"), server: true }), refusal(/the path exists/));
    assert.deepEqual(paths, []);
  });

  it("says what is wrong with a tap interface (C4)", () => {
    assert.throws(() => open({ kind: "tap", ifname: "lo" }), refusal(/^Cannot use the tap interface lo: /));
  });
});
