import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync } from "node:fs";
import { openTap, TapWire } from "../../../actors/host/tap-wire.js";
import { Offload } from "../../../devices/net/wire.js";
import { VmmError } from "../../../shared/errors.js";
import { GuestPieces } from "../../support/frames.js";
import { hostFixture } from "../../support/host-fixture.js";
import { cannotRun } from "../../support/cannot-run.js";

const NAME = "xl-spec-tap";
const HOST = [192, 0, 2, 201];
const GUEST = [192, 0, 2, 202];
const MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

describe("TapWire", function () {
  const guest = new GuestPieces(hostFixture());
  let fd = -1;

  before(function () {
    // A host that lets us make interfaces: root with /dev/net/tun.
    try {
      const { libc, scratch } = hostFixture();
      closeSync(openTap(libc, scratch, NAME));
    } catch (cause) {
      cannotRun(this, (cause as Error).message);
    }
  });

  afterEach(() => {
    if (fd >= 0) closeSync(fd);
    fd = -1;
  });

  function open(): TapWire {
    const fixture = hostFixture();
    fd = openTap(fixture.libc, fixture.scratch, NAME);
    return new TapWire({ ...guest.host, ...fixture }, fd);
  }

  function ip(...args: readonly string[]): void {
    const { status, stderr, error } = spawnSync("ip", args, { encoding: "utf8" });
    assert.equal(error, undefined);
    assert.equal(status, 0, stderr);
  }

  it("carries frames to the host's kernel and back: it answers for its address", () => {
    const wire = open();
    ip("addr", "add", "192.0.2.201/32", "dev", NAME);
    ip("link", "set", NAME, "up");
    wire.setOffloads(Offload.checksum | Offload.tso4);
    const broadcast = [255, 255, 255, 255, 255, 255];
    const question = [...broadcast, ...MAC, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, ...MAC, ...GUEST, 0, 0, 0, 0, 0, 0, ...HOST];
    // Behind the header of virtio-net, all zeros, and in two pieces.
    guest.ram.bytes.fill(0, 0, 12);
    guest.holding(Uint8Array.from(question), 0x1000);
    wire.send(guest.pieces([0, 12], [0x1000, 20], [0x1000 + 20, question.length - 20]), 0);
    // The kernel sends of its own accord too: what looks for other IPv6 nodes.
    let answer: Uint8Array | undefined;
    for (let frames = 0; frames < 20 && answer === undefined; frames++) {
      const length = wire.arriving();
      if (length === 0) continue;
      assert.equal(wire.arriving(), length);
      assert.equal(wire.receive(guest.pieces([0x2000, 30], [0x3000, 65_536]), 0), true);
      const bytes = Uint8Array.of(...guest.bytes(0x2000, Math.min(30, length)), ...guest.bytes(0x3000, length - 30));
      if (bytes[24] === 8 && bytes[25] === 6) answer = bytes;
    }
    assert.ok(answer !== undefined, "there is no answer");
    assert.deepEqual([...answer.slice(12, 18)], MAC);
    assert.deepEqual([...answer.slice(24, 34)], [8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    assert.deepEqual([...answer.slice(40, 44)], HOST);
  });

  it("loses what is sent while the interface is down, or has a bad header, or is no frame", () => {
    const wire = open();
    guest.ram.bytes.fill(0xff, 0, 4096);
    for (const length of [0, 5, 12, 13, 30, 2000]) wire.send(guest.pieces([0, length]), 0);
    assert.equal(wire.arriving(), 0);
  });

  it("has nothing when nothing has come", () => {
    const wire = open();
    assert.equal(wire.arriving(), 0);
    wire.discard();
    assert.equal(wire.arriving(), 0);
  });

  it("says why an interface cannot be used (C4)", () => {
    open();
    const { libc, scratch } = hostFixture();
    const refusal =
      (reason: string) =>
      (error: unknown): boolean =>
        error instanceof VmmError && error.code === "CONFIG" && error.message.endsWith(reason);
    assert.throws(() => openTap(libc, scratch, NAME), refusal(`${NAME}: another process uses it`));
    assert.throws(
      () => openTap(libc, scratch, "lo"),
      refusal("lo: it is not a tap interface, or was made in another mode"),
    );
  });
});
