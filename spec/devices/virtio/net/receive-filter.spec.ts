import assert from "node:assert/strict";
import { ReceiveFilter } from "../../../../devices/virtio/net/receive-filter.js";
import { SharedArena } from "../../../../shared/arena.js";

const OWN = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const OTHER = [0x52, 0x54, 0, 0x12, 0x34, 0x57];
const BROADCAST = [255, 255, 255, 255, 255, 255];
const GROUP = [0x01, 0, 0x5e, 0, 0, 1];
/** Commands of the receive class. [VIRTIO] 5.1.6.5.1 */
const PROMISC = 0;
const ALLMULTI = 1;
const ALLUNI = 2;
const NOMULTI = 3;
const NOUNI = 4;
const NOBCAST = 5;

describe("ReceiveFilter", () => {
  let filter: ReceiveFilter;

  beforeEach(() => {
    filter = new ReceiveFilter(new SharedArena(new SharedArrayBuffer(8192)), Uint8Array.from(OWN));
    filter.reset();
    filter.setMode(PROMISC, false);
  });

  function takes(destination: readonly number[], vlan?: number): boolean {
    const tag = vlan === undefined ? [8, 0, 0, 0] : [0x81, 0, vlan >> 8, vlan & 0xff];
    return filter.takes(Uint8Array.from([...destination, ...OTHER.slice(0, 6), ...tag]));
  }

  function takenOf(): string {
    return [OWN, OTHER, GROUP, BROADCAST].map((address) => (takes(address) ? "1" : "0")).join("");
  }

  it("takes everything before the driver says otherwise", () => {
    filter.reset();
    assert.equal(takenOf(), "1111");
    assert.equal(takes(OWN, 7), true);
  });

  it("takes its own address and broadcasts", () => {
    assert.equal(takenOf(), "1001");
  });

  for (const [modes, taken] of [
    [[PROMISC], "1111"],
    [[ALLMULTI], "1011"],
    [[ALLUNI], "1101"],
    [[NOUNI], "0001"],
    [[NOUNI, ALLUNI], "0001"],
    [[NOBCAST], "1000"],
    [[NOMULTI, ALLMULTI], "1001"],
    [[NOUNI, NOMULTI, NOBCAST], "0000"],
    [[PROMISC, NOUNI, NOMULTI, NOBCAST], "1111"],
  ] as const) {
    it(`takes ${taken} of own, other, group and broadcast by the modes ${modes.join(", ")}`, () => {
      for (const mode of modes) assert.equal(filter.setMode(mode, true), true);
      assert.equal(takenOf(), taken);
      for (const mode of modes) filter.setMode(mode, false);
      assert.equal(takenOf(), "1001");
    });
  }

  it("knows no other modes", () => {
    assert.equal(filter.setMode(6, true), false);
    assert.equal(filter.setMode(255, true), false);
  });

  it("takes what the driver listed", () => {
    filter.setTables(Uint8Array.from(OTHER), Uint8Array.from([...OTHER, ...GROUP]));
    assert.equal(takenOf(), "1111");
    filter.setTables(Uint8Array.of(), Uint8Array.of());
    assert.equal(takenOf(), "1001");
  });

  it("takes all of a kind of which more are listed than it keeps", () => {
    const many = Uint8Array.from({ length: 65 * 6 }, (_, i) => i & 0xfe);
    filter.setTables(many, Uint8Array.of());
    assert.equal(takenOf(), "1101");
    filter.setTables(Uint8Array.of(), many);
    assert.equal(takenOf(), "1011");
    filter.setTables(undefined, undefined);
    assert.equal(takenOf(), "1111");
    filter.setTables(many.subarray(0, 64 * 6), Uint8Array.of());
    assert.equal(takenOf(), "1001");
  });

  it("takes the address that the driver gives it, until a reset", () => {
    filter.setMac(Uint8Array.from(OTHER));
    assert.equal(takenOf(), "0101");
    filter.reset();
    filter.setMode(PROMISC, false);
    assert.equal(takenOf(), "1001");
  });

  it("takes tagged frames of the VLANs that the driver added, when it wants to say which", () => {
    assert.equal(takes(OWN, 7), true);
    filter.filterVlans(true);
    assert.equal(takes(OWN, 7), false);
    assert.equal(takes(OWN), true);
    assert.equal(filter.setVlan(7, true), true);
    assert.equal(filter.setVlan(4095, true), true);
    // The priority in the tag's upper bits is none of the number.
    assert.equal(takes(OWN, 0xe007), true);
    assert.equal(takes(OWN, 4095), true);
    assert.equal(takes(OWN, 8), false);
    assert.equal(takes(OTHER, 7), false);
    filter.setVlan(7, false);
    assert.equal(takes(OWN, 7), false);
    assert.equal(filter.setVlan(4096, true), false);
    assert.equal(filter.setVlan(0xffff, true), false);
  });

  it("is saved and restored", () => {
    filter.setTables(Uint8Array.from(OTHER), undefined);
    filter.filterVlans(true);
    filter.setVlan(7, true);
    const saved = structuredClone(filter.save());
    filter.reset();
    filter.restore(saved);
    assert.equal(takenOf(), "1111");
    assert.equal(takes(OWN, 7), true);
    assert.equal(takes(OWN, 8), false);
  });
});
