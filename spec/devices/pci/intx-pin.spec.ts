/** [PCI30] PCI Local Bus Specification 3.0, 6.2.2 and 6.2.3 */
import assert from "node:assert/strict";
import { plainCapability } from "../../../devices/pci/capabilities.js";
import { ConfigSpace } from "../../../devices/pci/config-space.js";
import { IntxPin } from "../../../devices/pci/intx-pin.js";
import { RecordedLine, smallArena } from "../port-driver.js";

interface Fixture {
  readonly config: ConfigSpace;
  readonly pin: IntxPin;
  readonly line: RecordedLine;
}

/** A function whose capability says at 0x44 whether it signals by messages. */
function pinned(): Fixture {
  const arena = smallArena();
  const line = new RecordedLine();
  const pin = new IntxPin(arena, line);
  let bytes = new Uint8Array(new SharedArrayBuffer(8));
  const config = new ConfigSpace(arena, {
    identity: { vendor: 1, device: 1, revision: 0, classCode: 0, subsystemVendor: 0, subsystem: 0, interruptPin: 1 },
    command: { initial: 0, writable: 0x0507 },
    capabilities: [
      {
        ...plainCapability(0x09, 8, [{ offset: 4, size: 1, initial: 0, writable: 1 }]),
        attach: (own) => (bytes = own),
        replacesIntx: () => bytes[4] === 1,
      },
    ],
    intx: pin,
  });
  config.reset();
  return { config, pin, line };
}

describe("IntxPin", () => {
  it("drives the line and shows the level in the status register", () => {
    const { config, pin, line } = pinned();
    pin.set(1);
    assert.deepEqual([line.level, config.read(0x06, 2) & 0x08], [1, 0x08]);
    pin.set(0);
    assert.deepEqual([line.level, config.read(0x06, 2) & 0x08], [0, 0]);
  });

  it("keeps the line low while the command register disables it, and the status true (6.2.2)", () => {
    const { config, pin, line } = pinned();
    config.write(0x04, 2, 0x0400);
    pin.set(1);
    assert.deepEqual([line.level, config.read(0x06, 2) & 0x08], [0, 0x08]);
    config.write(0x04, 2, 0x0000);
    assert.equal(line.level, 1);
    config.write(0x05, 1, 0x04);
    assert.equal(line.level, 0);
  });

  it("keeps the line low while the function signals by messages (6.8.3.3)", () => {
    const { config, pin, line } = pinned();
    pin.set(1);
    config.write(0x44, 1, 1);
    assert.equal(line.level, 0);
    config.write(0x44, 1, 0);
    assert.equal(line.level, 1);
  });

  it("does not lose a level to a guest's write of the status register", () => {
    const { config, pin } = pinned();
    pin.set(1);
    config.write(0x04, 4, 0xffff_0000);
    assert.equal(config.read(0x06, 2) & 0x08, 0x08);
  });

  it("is low after reset, and as it was after save and restore", () => {
    const { config, pin, line } = pinned();
    pin.set(1);
    const state = structuredClone(config.save());
    config.reset();
    assert.deepEqual([line.level, config.read(0x06, 2) & 0x08], [0, 0]);
    config.restore(state);
    assert.deepEqual([line.level, config.read(0x06, 2) & 0x08], [1, 0x08]);
  });
});
