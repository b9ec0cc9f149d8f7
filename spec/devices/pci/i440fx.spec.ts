/** [440FX] Intel 82441FX, 290549-001 */
import assert from "node:assert/strict";
import { I440Fx } from "../../../devices/pci/i440fx.js";
import { smallArena } from "../port-driver.js";

function bridge(): I440Fx {
  const result = new I440Fx(smallArena());
  result.reset();
  return result;
}

describe("I440Fx", () => {
  it("is an Intel 82441FX at 00.0", () => {
    const host = bridge();
    assert.deepEqual([host.slot, host.function], [0, 0]);
    assert.equal(host.readConfig(0x00, 4), 0x1237_8086);
    assert.equal(host.readConfig(0x08, 4), 0x0600_0002);
    assert.equal(host.readConfig(0x2c, 4), 0x1100_1af4);
  });

  it("gives PAM and SMRAM back as written, and no other bits (P6)", () => {
    const host = bridge();
    assert.equal(host.writeConfig(0x58, 4, 0xffff_ffff), false);
    assert.equal(host.readConfig(0x58, 4), 0x3333_3000);
    host.writeConfig(0x72, 1, 0xff);
    assert.equal(host.readConfig(0x72, 1), 0x7a);
  });

  it("decodes nothing", () => {
    assert.deepEqual(bridge().decodes(), []);
  });

  it("goes on where it was after save and restore", () => {
    const host = bridge();
    host.writeConfig(0x59, 1, 0x30);
    const other = bridge();
    other.restore(structuredClone(host.save()));
    assert.equal(other.readConfig(0x59, 1), 0x30);
  });
});
