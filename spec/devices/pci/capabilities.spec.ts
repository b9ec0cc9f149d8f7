/** [PCI30] PCI Local Bus Specification 3.0, 6.7 */
import assert from "node:assert/strict";
import { CapabilityId, placeCapabilities, plainCapability } from "../../../devices/pci/capabilities.js";
import { ConfigSpace } from "../../../devices/pci/config-space.js";
import type { PciCapability } from "../../../devices/pci/capabilities.js";
import { smallArena } from "../port-driver.js";

const IDENTITY = {
  vendor: 0x1af4,
  device: 0x1042,
  revision: 1,
  classCode: 0x01_0000,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
};
const COMMAND = { initial: 0, writable: 0x0506 };

function space(...capabilities: readonly PciCapability[]): ConfigSpace {
  const config = new ConfigSpace(smallArena(), { identity: IDENTITY, command: COMMAND, capabilities });
  config.reset();
  return config;
}

describe("PCI capabilities", () => {
  it("are absent from the status register and offset 0x34 of a function without any", () => {
    const config = space();
    assert.equal(config.read(0x06, 2), 0);
    assert.equal(config.read(0x34, 1), 0);
  });

  it("form a list from 0x40 on, dwords apart, that ends with 0 (6.7)", () => {
    const first = plainCapability(CapabilityId.vendor, 13, [{ offset: 2, size: 1, initial: 13, writable: 0 }]);
    const second = plainCapability(CapabilityId.msix, 12, [{ offset: 4, size: 4, initial: 0x801, writable: 0 }]);
    const config = space(first, second);
    assert.equal(config.read(0x06, 2) & 0x10, 0x10);
    assert.equal(config.read(0x34, 1), 0x40);
    assert.equal(config.read(0x40, 4), 0x000d_5009);
    assert.equal(config.read(0x50, 2), 0x0011);
    assert.equal(config.read(0x54, 4), 0x0000_0801);
  });

  it("keep identity and link against writes, and take writable bits of their own", () => {
    const config = space(plainCapability(0x09, 8, [{ offset: 4, size: 4, initial: 0, writable: 0x0000_ffff }]));
    config.write(0x40, 4, 0xffff_ffff);
    config.write(0x44, 4, 0xffff_ffff);
    assert.equal(config.read(0x40, 4), 0x0000_0009);
    assert.equal(config.read(0x44, 4), 0x0000_ffff);
  });

  it("are told what changed: by writes to them or the command register, a reset, a restored state", () => {
    const told: number[] = [];
    const live: PciCapability = {
      ...plainCapability(0x09, 8, [{ offset: 4, size: 4, initial: 0, writable: 0xff }]),
      changed: (command) => told.push(command),
    };
    const config = space(live);
    config.write(0x04, 2, 0x0004);
    config.write(0x44, 1, 1);
    config.write(0x3c, 1, 1);
    config.restore(structuredClone(config.save()));
    assert.deepEqual(told, [0, 4, 4, 4]);
  });

  it("cannot run out of configuration space, nor their registers out of them", () => {
    const long = plainCapability(0x09, 0xc4, []);
    assert.throws(() => placeCapabilities([long]), RangeError);
    const outside = plainCapability(0x09, 8, [{ offset: 6, size: 4, initial: 0, writable: 0 }]);
    assert.throws(() => space(outside), RangeError);
  });
});
