/** PACKET's phases: [ATA-6] T13/1410D, 8.24, 9.8; reasons are bit 0 command, bit 1 to the host. */
import assert from "node:assert/strict";
import type { PacketDevice, PacketError, PacketReply } from "../../../devices/ide/packet-device.js";
import { disk, IdeRig, sectors } from "./ide-rig.js";

/** Answers what it is told to. */
class FakePacketDevice implements PacketDevice {
  reply: PacketReply = { kind: "done" };
  packets: Uint8Array[] = [];
  resets = 0;

  identify(target: Uint8Array): void {
    target.fill(0, 0, 512);
    target[1] = 0x85;
  }

  execute(packet: Uint8Array, target: Uint8Array): PacketReply {
    this.packets.push(packet.slice());
    for (let i = 0; i < 1000; i++) target[i] = i;
    return this.reply;
  }

  readFailed(): PacketError {
    return { kind: "error", sense: 3 };
  }

  softReset(): void {
    this.resets++;
  }

  reset(): void {
    this.resets = 0;
  }

  save(): { version: number; words: readonly number[] } {
    return { version: 1, words: [this.resets] };
  }

  restore(state: { words: readonly number[] }): void {
    this.resets = state.words[0] ?? 0;
  }
}

interface Drive {
  readonly rig: IdeRig;
  readonly device: FakePacketDevice;
}

function drive(reply: PacketReply = { kind: "done" }): Drive {
  const device = new FakePacketDevice();
  device.reply = reply;
  const rig = new IdeRig({ primary: [{ kind: "packet", device }, undefined] });
  return { rig, device };
}

const PACKET = Uint8Array.from([0x28, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);

function packet(rig: IdeRig, limit: number, features = 0): void {
  rig.out(0x1f6, 0xa0);
  rig.out(0x1f1, features);
  rig.out(0x1f4, limit & 0xff);
  rig.out(0x1f5, limit >>> 8);
  rig.out(0x1f7, 0xa0);
  assert.deepEqual([rig.in(0x1f7), rig.in(0x1f2)], [0x58, 0x01]);
  rig.give(PACKET);
}

/** Status, reason, and bytes of the block. */
function phase(rig: IdeRig): readonly number[] {
  return [rig.in(0x1f7), rig.in(0x1f2) & 3, rig.in(0x1f4) + rig.in(0x1f5) * 256];
}

describe("PacketCommands", () => {
  it("shows the signature of a packet device, without DRDY, after power-on and resets", () => {
    const { rig, device } = drive();
    const signature = (): readonly number[] => [1, 2, 3, 4, 5, 7].map((offset) => rig.in(0x1f0 + offset));
    assert.deepEqual(signature(), [0x01, 0x01, 0x01, 0x14, 0xeb, 0x00]);
    rig.out(0x1f7, 0xe1);
    rig.out(0x3f6, 0x04);
    rig.out(0x3f6, 0x00);
    assert.deepEqual(signature(), [0x01, 0x01, 0x01, 0x14, 0xeb, 0x00]);
    rig.out(0x1f7, 0xe1);
    rig.out(0x1f7, 0x08);
    assert.deepEqual(signature(), [0x01, 0x01, 0x01, 0x14, 0xeb, 0x00]);
    assert.equal(device.resets, 2);
  });

  for (const command of [0xec, 0x20]) {
    it(`aborts command 0x${command.toString(16)} with its signature (9.12)`, () => {
      const { rig } = drive();
      rig.out(0x1f4, 0);
      rig.out(0x1f5, 0);
      rig.out(0x1f7, command);
      assert.deepEqual([rig.in(0x1f7), rig.error, rig.in(0x1f4), rig.in(0x1f5)], [0x51, 0x04, 0x14, 0xeb]);
    });
  }

  it("identifies itself, with the DMA mode that was chosen", () => {
    const { rig } = drive();
    rig.out(0x1f7, 0xa1);
    const data = rig.data(512);
    assert.deepEqual([data[1], data[126], data[177]], [0x85, 0x07, 0x20]);
    assert.equal(data.reduce((sum, byte) => sum + byte, 0) % 256, 0);
  });

  it("ends a packet without data with an interrupt", () => {
    const { rig, device } = drive();
    packet(rig, 0xfffe);
    assert.deepEqual([rig.irqs[0].level, ...phase(rig)], [1, 0x50, 0x03, 0xfffe]);
    assert.deepEqual(device.packets, [PACKET]);
  });

  it("takes a packet by accesses of 4 bytes", () => {
    const { rig, device } = drive();
    rig.out(0x1f7, 0xa0);
    for (const part of [0x0302_0128, 0x0706_0504, 0x0b0a_0908]) rig.out(0x1f0, part, 4);
    assert.deepEqual(device.packets, [PACKET]);
  });

  it("ignores what is written past the packet, and waits for a short one (I9)", () => {
    const { rig, device } = drive();
    rig.out(0x1f7, 0xa0);
    rig.give(PACKET.subarray(0, 10));
    assert.deepEqual([rig.status, device.packets.length], [0x58, 0]);
    rig.give(PACKET.subarray(10));
    rig.give(PACKET);
    assert.deepEqual([rig.status, device.packets.length], [0x50, 1]);
  });

  it("gives data in blocks of the host's limit", () => {
    const { rig } = drive({ kind: "data", length: 100 });
    packet(rig, 40);
    const blocks = [40, 40, 20].map((length) => {
      assert.deepEqual(phase(rig), [0x58, 0x02, length]);
      return [...rig.data(length)];
    });
    assert.deepEqual(
      blocks.flat(),
      Array.from({ length: 100 }, (_, i) => i),
    );
    assert.deepEqual(phase(rig).slice(0, 2), [0x50, 0x03]);
    assert.equal(rig.irqs[0].edges, 4);
  });

  it("pads an odd length to a word", () => {
    const { rig } = drive({ kind: "data", length: 5 });
    packet(rig, 0x100);
    assert.equal(phase(rig)[2], 5);
    assert.deepEqual([...rig.data(6)], [0, 1, 2, 3, 4, 0]);
    assert.equal(rig.in(0x1f7), 0x50);
  });

  const limits: readonly (readonly [limit: number, first: number])[] = [
    [0, 100],
    [1, 2],
    [2, 2],
    [3, 2],
    [99, 98],
    [100, 100],
    [0xffff, 100],
  ];
  for (const [limit, first] of limits) {
    it(`makes a first block of ${first} bytes for 100 and a limit of ${limit} (I9)`, () => {
      const { rig } = drive({ kind: "data", length: 100 });
      packet(rig, limit);
      assert.equal(phase(rig)[2], first);
    });
  }

  it("reads the medium, more than the buffer takes", () => {
    const { rig } = drive({ kind: "read", offset: 20 * 2048, length: 40 * 2048 });
    packet(rig, 0x8000);
    const bytes = [];
    while (((rig.in(0x1f7) >>> 3) & 1) === 1) bytes.push(...rig.data(phase(rig)[2] ?? 0));
    assert.deepEqual(Uint8Array.from(bytes), sectors(80, 160));
    assert.deepEqual(phase(rig).slice(0, 2), [0x50, 0x03]);
  });

  it("reads the medium by DMA", () => {
    const { rig } = drive({ kind: "read", offset: 2048, length: 4096 });
    rig.table([0x10000, 4096, 0x8000]);
    packet(rig, 0, 0x01);
    rig.startMaster();
    assert.deepEqual([rig.ram(0x10000, 4096), rig.masterStatus], [sectors(4, 8), 0x04]);
    assert.deepEqual(phase(rig).slice(0, 2), [0x50, 0x03]);
  });

  it("gives data by DMA, in words", () => {
    const { rig } = drive({ kind: "data", length: 5 });
    rig.table([0x10000, 4], [0x20000, 2, 0x8000]);
    packet(rig, 0, 0x01);
    rig.startMaster();
    assert.deepEqual([...rig.ram(0x10000, 4), ...rig.ram(0x20000, 2)], [0, 1, 2, 3, 4, 0]);
    assert.equal(rig.masterStatus, 0x04);
  });

  it("shows the sense key of a refusal", () => {
    const { rig } = drive({ kind: "error", sense: 5 });
    packet(rig, 0xfffe);
    assert.deepEqual([...phase(rig).slice(0, 2), rig.error], [0x51, 0x03, 0x54]);
  });

  it("shows what the device makes of a medium that cannot be read", () => {
    const { rig } = drive({ kind: "read", offset: 0, length: 2048 });
    rig.storage.bad.set(0, 5);
    packet(rig, 0xfffe);
    assert.deepEqual([...phase(rig).slice(0, 2), rig.error], [0x51, 0x03, 0x34]);
  });

  it("is reset by DEVICE RESET in mid-command, once the actor has let go", () => {
    const { rig, device } = drive({ kind: "read", offset: 0, length: 2048 });
    rig.storage.held = [];
    packet(rig, 0xfffe);
    rig.out(0x1f7, 0x08);
    assert.equal(rig.status, 0x80);
    rig.storage.held[0]?.();
    assert.deepEqual([rig.status, rig.in(0x1f4), device.resets], [0x00, 0x14, 1]);
  });

  it("leaves the disk beside it alone when it is reset", () => {
    const device = new FakePacketDevice();
    const rig = new IdeRig({ primary: [disk(), { kind: "packet", device }] });
    rig.lba28(0xe1, 77, 3);
    rig.out(0x1f6, 0xb0);
    rig.out(0x1f7, 0x08);
    assert.deepEqual([rig.in(0x1f6), rig.in(0x1f7), rig.in(0x1f4)], [0x00, 0x00, 0x14]);
    rig.out(0x1f6, 0xa0);
    assert.deepEqual([rig.in(0x1f3), rig.in(0x1f7)], [77, 0x50]);
  });

  it("aborts commands of disks, and overlapped packets", () => {
    const { rig } = drive();
    for (const command of [0xc8, 0x30, 0xb0, 0xe7, 0xf8, 0x91]) {
      rig.out(0x1f7, command);
      assert.deepEqual([rig.in(0x1f7), rig.error], [0x51, 0x04]);
    }
    rig.out(0x1f1, 0x02);
    rig.out(0x1f7, 0xa0);
    assert.equal(rig.in(0x1f7), 0x51);
  });

  it("is saved and restored with its device", () => {
    const { rig } = drive({ kind: "data", length: 100 });
    rig.out(0x3f6, 0x04);
    rig.out(0x3f6, 0x00);
    packet(rig, 40);
    rig.data(10);
    const state = structuredClone(rig.ide.save());
    const other = drive();
    other.rig.ide.restore(state);
    assert.equal(other.device.resets, 1);
    assert.deepEqual(
      [...other.rig.data(30)],
      Array.from({ length: 30 }, (_, i) => i + 10),
    );
  });
});
