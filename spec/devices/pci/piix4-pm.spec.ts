/** [PIIX4] Intel 82371AB, 290562-001, 7.1 */
import assert from "node:assert/strict";
import type { IoHandler } from "../../../shared/io.js";
import { Piix4Pm } from "../../../devices/pci/piix4-pm.js";
import { smallArena } from "../port-driver.js";

const PM_IO: IoHandler = { read: () => 0, write: () => undefined };

function pm(): Piix4Pm {
  const result = new Piix4Pm(smallArena(), PM_IO);
  result.reset();
  return result;
}

describe("Piix4Pm", () => {
  it("is an 82371AB's third function at 01.3", () => {
    const device = pm();
    assert.deepEqual([device.slot, device.function], [1, 3]);
    assert.equal(device.readConfig(0x00, 4), 0x7113_8086);
    assert.equal(device.readConfig(0x08, 4), 0x0680_0003);
    assert.equal(device.readConfig(0x3d, 1), 1);
  });

  it("decodes the PM block at its base while PMIOSE is set", () => {
    const device = pm();
    assert.equal(device.writeConfig(0x40, 4, 0xffff_b03f), true);
    assert.equal(device.readConfig(0x40, 4), 0x0000_b001);
    assert.equal(device.decodes()[0]?.enabled, false);
    assert.equal(device.writeConfig(0x80, 1, 0xff), true);
    assert.deepEqual(device.decodes()[0], { kind: "io", base: 0xb000, length: 64, enabled: true, handler: PM_IO });
  });

  it("decodes nothing at base 0", () => {
    const device = pm();
    device.writeConfig(0x80, 1, 0x01);
    assert.equal(device.decodes()[0]?.enabled, false);
  });

  it("decodes the SMBus controller at its base while SMB_HST_EN is set", () => {
    const device = pm();
    assert.equal(device.writeConfig(0x90, 4, 0xffff_b10f), true);
    assert.equal(device.readConfig(0x90, 4), 0x0000_b101);
    assert.equal(device.decodes()[1]?.enabled, false);
    assert.equal(device.writeConfig(0xd2, 1, 0x01), true);
    const decode = device.decodes()[1];
    assert.deepEqual([decode?.kind, decode?.base, decode?.length, decode?.enabled], ["io", 0xb100, 16, true]);
    assert.equal(decode?.handler.read(0, 1), 0);
    device.writeConfig(0x90, 4, 0);
    assert.equal(device.decodes()[1]?.enabled, false);
  });

  it("goes on where it was after save and restore", () => {
    const device = pm();
    device.writeConfig(0x40, 4, 0xb000);
    const other = pm();
    other.restore(structuredClone(device.save()));
    assert.equal(other.readConfig(0x40, 4), 0xb001);
  });
});
