import assert from "node:assert/strict";
import fc from "fast-check";
import { ControlCommands, guestOffloads } from "../../../../devices/virtio/net/control-commands.js";
import { SegmentList } from "../../../../devices/virtio/segment-list.js";
import { F, NetDriver } from "./net-driver.js";

const OK = 0;
const ERR = 1;
const OWN = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const OTHER = [0x02, 0, 0, 0, 0, 0x01];

describe("ControlCommands", () => {
  let driver: NetDriver;

  beforeEach(() => {
    driver = new NetDriver();
    driver.start();
    driver.plane.transfer();
  });

  function takes(destination: readonly number[], vlan?: number): boolean {
    const tag = vlan === undefined ? [8, 0, 0, 0] : [0x81, 0, vlan >> 8, vlan & 0xff];
    return driver.net.filter.takes(Uint8Array.from([...destination, ...OTHER, ...tag]));
  }

  it("switch the receiver's modes", () => {
    assert.equal(driver.command(0, 0, 0), OK);
    assert.equal(takes(OTHER), false);
    assert.equal(driver.command(0, 2, 1), OK);
    assert.equal(takes(OTHER), true);
  });

  it("set the lists of addresses", () => {
    driver.command(0, 0, 0);
    assert.equal(driver.command(1, 0, 1, 0, 0, 0, ...OTHER, 0, 0, 0, 0), OK);
    assert.equal(takes(OTHER), true);
    assert.equal(driver.command(1, 0, 0, 0, 0, 0, 0, 0, 0, 0), OK);
    assert.equal(takes(OTHER), false);
  });

  it("take lists that are longer than what is kept of a command", () => {
    driver.command(0, 0, 0);
    const many = Array.from({ length: 1000 }, () => OTHER).flat();
    assert.equal(driver.command(1, 0, 0xe8, 3, 0, 0, ...many, 0, 0, 0, 0), OK);
    assert.equal(takes([2, 9, 9, 9, 9, 9]), true);
    assert.equal(takes([1, 9, 9, 9, 9, 9]), true);
  });

  it("set the address", () => {
    driver.command(0, 0, 0);
    assert.equal(driver.command(1, 1, ...OTHER), OK);
    assert.deepEqual([takes(OTHER), takes(OWN)], [true, false]);
    assert.equal(driver.net.readConfig(0, 4), 0x0000_0002);
  });

  it("add and remove VLANs, which count once the driver took the feature", () => {
    driver.command(0, 0, 0);
    assert.equal(takes(OWN, 5), false);
    assert.equal(driver.command(2, 0, 5, 0), OK);
    assert.equal(takes(OWN, 5), true);
    assert.equal(driver.command(2, 1, 5, 0), OK);
    assert.equal(takes(OWN, 5), false);
  });

  it("acknowledge an announcement", () => {
    driver.net.requestAnnounce();
    assert.equal(driver.command(3, 0), OK);
    assert.equal(driver.net.readConfig(6, 2), 1);
  });

  it("answer each command with one interrupt", () => {
    driver.command(0, 0, 0);
    driver.command(0, 0, 1);
    assert.deepEqual(driver.interrupts, [2, 2]);
    assert.deepEqual(
      driver.used(2).map(([, written]) => written),
      [1, 1],
    );
  });

  for (const [what, ...bytes] of [
    ["nothing", 0],
    ["a mode without a value", 0, 0],
    ["a mode that there is not", 0, 6, 1],
    ["a list without a number", 1, 0, 1, 0],
    ["a list that is shorter than it says", 1, 0, 2, 0, 0, 0, ...OTHER, 0, 0, 0, 0],
    ["a list of 2^32 - 1 addresses", 1, 0, 255, 255, 255, 255, ...OTHER],
    ["one list instead of two", 1, 0, 1, 0, 0, 0, ...OTHER],
    ["a part of an address", 1, 1, 1, 2, 3, 4, 5],
    ["an address command that there is not", 1, 2, 1, 2, 3, 4, 5, 6],
    ["a VLAN of one byte", 2, 0, 1],
    ["VLAN 4096", 2, 0, 0, 16],
    ["a VLAN command that there is not", 2, 2, 1, 0],
    ["an announcement command that there is not", 3, 1],
    ["queue pairs", 4, 0, 2, 0],
    ["offloads that were not offered", 5, 0, 1 << 1, 0, 0, 0, 0, 0, 0, 0],
    ["a class that there is not", 200, 0, 0],
  ] as const) {
    it(`refuse ${what} (W6)`, () => {
      const before = driver.net.save();
      assert.equal(driver.command(...bytes), ERR);
      assert.deepEqual(driver.net.save(), before);
      assert.deepEqual(driver.broken, []);
    });
  }

  it("need no room for their answer", () => {
    driver.offer(2, [[0x5_0000, 3]]);
    driver.plane.transfer();
    assert.deepEqual(driver.used(2), [[0, 0]]);
  });

  describe("for a wire with offloads", () => {
    beforeEach(() => {
      driver = new NetDriver({ offloads: true });
      driver.start([F.mac, F.ctrlVq, F.ctrlGuestOffloads, F.guestCsum, F.guestTso4]);
      driver.plane.transfer();
    });

    it("start with what the driver took", () => {
      assert.equal(driver.wire.offloads, 0x1 | 0x2);
    });

    it("switch what it took, off and on", () => {
      assert.equal(driver.command(5, 0, 0, 0, 0, 0, 0, 0, 0, 0), OK);
      assert.equal(driver.wire.offloads, 0);
      assert.equal(driver.command(5, 0, 1 << 1, 0, 0, 0, 0, 0, 0, 0), OK);
      assert.equal(driver.wire.offloads, 0x1);
    });

    it("refuse what it did not take", () => {
      // VIRTIO_NET_F_GUEST_TSO6
      assert.equal(driver.command(5, 0, 1 << 1, 1, 0, 0, 0, 0, 0, 0), ERR);
      assert.equal(driver.command(5, 0, 2, 0, 0, 0, 0, 0, 0, 1), ERR);
      assert.equal(driver.command(5, 0, 2, 0, 0, 0, 0), ERR);
      assert.equal(driver.wire.offloads, 0x1 | 0x2);
    });
  });

  it("cannot be made to throw by any bytes", () => {
    const commands = new ControlCommands(driver.net, { accepted: () => true, setOffloads: () => undefined });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.integer({ min: 0, max: 6 }), (bytes, kind) => {
        const list = new SegmentList(4);
        driver.ram.bytes.set(bytes, 0x5_0000);
        driver.ram.bytes[0x5_0000] = kind;
        list.add(driver.memory, 0x5_0000, bytes.length);
        assert.ok([OK, ERR].includes(commands.run(list)));
      }),
    );
  });
});

describe("guestOffloads()", () => {
  it("gives segments to those only who do without checksums", () => {
    const of = (...features: readonly number[]): number => guestOffloads((bit) => features.includes(bit));
    assert.equal(of(), 0);
    assert.equal(of(F.guestTso4, F.guestTso6), 0);
    assert.equal(of(F.guestCsum), 0x1);
    assert.equal(of(F.guestCsum, F.guestTso4, F.guestTso6, F.guestEcn), 0xf);
  });
});
