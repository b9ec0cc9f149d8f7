/** [440FX] Intel 82441FX, 290549-001 */
import assert from "node:assert/strict";
import { I440Fx } from "../../../devices/pci/i440fx.js";
import type { PamChange } from "../../../devices/pci/pam.js";
import { smallArena } from "../port-driver.js";

function bridge(changes: PamChange[] = []): I440Fx {
  const result = new I440Fx(smallArena(), { pamChanged: (now) => changes.push(...now) });
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

  it("tells which segments of the attribute map changed, and how (3.2.18)", () => {
    const changes: PamChange[] = [];
    const host = bridge(changes);
    // PAM0 has the BIOS in its high half; PAM1 the first two segments of 16 KiB.
    host.writeConfig(0x58, 4, 0x0021_3000);
    assert.deepEqual(changes.splice(0), [
      { segment: 0, attributes: 1 },
      { segment: 1, attributes: 2 },
      { segment: 12, attributes: 3 },
    ]);
    host.writeConfig(0x59, 2, 0xff30);
    assert.deepEqual(
      changes.splice(0).map(({ segment }) => segment),
      [0, 1],
    );
    assert.deepEqual([host.pam(0), host.pam(1), host.pam(11), host.pam(12)], [3, 3, 0, 3]);
  });

  it("goes back to ROM in every segment at reset", () => {
    const changes: PamChange[] = [];
    const host = bridge(changes);
    host.writeConfig(0x5c, 4, 0x3333_3333);
    assert.equal(changes.splice(0).length, 8);
    host.reset();
    assert.deepEqual(
      changes,
      [4, 5, 6, 7, 8, 9, 10, 11].map((segment) => ({ segment, attributes: 0 })),
    );
  });

  it("decodes nothing", () => {
    assert.deepEqual(bridge().decodes(), []);
  });

  it("goes on where it was after save and restore", () => {
    const host = bridge();
    host.writeConfig(0x59, 1, 0x30);
    const changes: PamChange[] = [];
    const other = bridge(changes);
    other.restore(structuredClone(host.save()));
    assert.equal(other.readConfig(0x59, 1), 0x30);
    assert.deepEqual(changes, [{ segment: 12, attributes: 3 }]);
  });
});
