import assert from "node:assert/strict";
import { VirtioNet } from "../../../../devices/virtio/net/virtio-net.js";
import { SharedArena } from "../../../../shared/arena.js";
import { NetDriver } from "./net-driver.js";

describe("VirtioNet", () => {
  function made(offloads = false): VirtioNet {
    const arena = new SharedArena(new SharedArrayBuffer(8192));
    const net = new VirtioNet(
      arena,
      { name: "virtio-net-3", mac: "52:54:00:12:34:56", offloads },
      { kick: () => undefined },
    );
    net.reset();
    return net;
  }

  it("is a network card of class Ethernet with queues to receive, transmit and control", () => {
    const net = made();
    assert.deepEqual([net.type, net.classCode, net.queueSizes], [1, 0x02_0000, [256, 256, 64]]);
  });

  it("offers checksums and segmentation only where the wire can do them", () => {
    // MAC, MRG_RXBUF, STATUS, CTRL_VQ, CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, GUEST_ANNOUNCE, CTRL_MAC_ADDR
    const plain = [5, 15, 16, 17, 18, 19, 20, 21, 23];
    assert.deepEqual(
      [...made().features].sort((a, b) => a - b),
      plain,
    );
    // CSUM, GUEST_CSUM, CTRL_GUEST_OFFLOADS, GUEST_TSO4, GUEST_TSO6, GUEST_ECN, HOST_TSO4, HOST_TSO6, HOST_ECN
    const more = [0, 1, 2, 7, 8, 9, 11, 12, 13];
    assert.deepEqual(
      [...made(true).features].sort((a, b) => a - b),
      [...plain, ...more].sort((a, b) => a - b),
    );
  });

  it("shows its address and its link, in any width, and zeros behind them", () => {
    const net = made();
    assert.equal(net.readConfig(0, 4), 0x1200_5452);
    assert.equal(net.readConfig(4, 2), 0x5634);
    assert.equal(net.readConfig(6, 2), 1);
    assert.equal(net.readConfig(4, 4), 0x0001_5634);
    assert.equal(net.readConfig(5, 1), 0x56);
    assert.equal(net.readConfig(100, 4), 0);
  });

  it("keeps its address whatever is written to it", () => {
    const net = made();
    net.writeConfig();
    assert.equal(net.readConfig(0, 4), 0x1200_5452);
  });

  it("says once when the link changes, and keeps it over a reset", () => {
    const net = made();
    assert.equal(net.setLink(true), false);
    assert.equal(net.setLink(false), true);
    assert.equal(net.setLink(false), false);
    assert.equal(net.readConfig(6, 2), 0);
    net.reset();
    assert.equal(net.linkUp, false);
    assert.equal(net.setLink(true), true);
    assert.equal(net.readConfig(6, 2), 1);
  });

  it("asks to be announced until the driver has done it, or a reset has", () => {
    const net = made();
    net.requestAnnounce();
    assert.equal(net.readConfig(6, 2), 3);
    net.announced();
    assert.equal(net.readConfig(6, 2), 1);
    net.requestAnnounce();
    net.reset();
    assert.equal(net.readConfig(6, 2), 1);
  });

  it("wakes its thread when the driver notifies", () => {
    const driver = new NetDriver();
    driver.net.notify();
    assert.equal(driver.kicks, 1);
  });

  it("is saved and restored: link, address, filter", () => {
    const net = made();
    net.setLink(false);
    net.filter.setMac(Uint8Array.of(2, 0, 0, 0, 0, 9));
    net.filter.setMode(0, false);
    const other = made();
    other.restore(structuredClone(net.save()));
    assert.equal(other.linkUp, false);
    assert.equal(other.readConfig(4, 2), 0x0900);
    assert.equal(other.filter.takes(Uint8Array.of(2, 0, 0, 0, 0, 8, ...new Uint8Array(10))), false);
    assert.deepEqual(other.save(), net.save());
  });

  it("refuses a state of another shape", () => {
    const { version, words } = made().save();
    assert.throws(
      () => {
        made().restore({ version, words: words.slice(1) });
      },
      { code: "STATE" },
    );
    assert.throws(
      () => {
        made().restore({ version: 99, words });
      },
      { code: "STATE" },
    );
  });
});
