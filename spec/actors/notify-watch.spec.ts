import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { NotifyWatch } from "../../actors/notify-watch.js";
import { PciHostBridge } from "../../devices/pci/host-bridge.js";
import { VirtioPci } from "../../devices/virtio/virtio-pci.js";
import { RecordedLine, smallArena } from "../devices/port-driver.js";
import { TestDevice } from "../devices/virtio/test-device.js";

const EEXIST = -17;
/** Of BAR 4; notifications are at 0x3000, 4 bytes from queue to queue. */
const BAR = 0xe000_0000;
const COMMAND = 0x04;
const BAR4 = 0x20;

describe("NotifyWatch", () => {
  let pci: VirtioPci;
  let bridge: PciHostBridge;
  let calls: string[];
  let result: number;

  beforeEach(() => {
    const arena = smallArena();
    calls = [];
    result = 0;
    const watch = new NotifyWatch(arena, {
      watchWrites: (address, fd, on) => {
        calls.push(`${on ? "+" : "-"}${address.toString(16)} ${fd}`);
        return result;
      },
    });
    const messages = { signal: () => true, isPirqBound: () => false, enlist: () => undefined };
    pci = new VirtioPci(arena, { device: new TestDevice(), slot: 3, intx: new RecordedLine(), messages });
    bridge = new PciHostBridge(arena, [pci], () => {
      watch.update();
    });
    watch.connect(bridge, [{ pci, fd: 7 }]);
    bridge.reset();
  });

  function write(offset: number, value: number): void {
    bridge.writeConfig(pci, { offset, size: 4, value });
  }

  function place(): void {
    write(BAR4, BAR);
    write(COMMAND, 2);
  }

  it("watches each queue's address while the BAR decodes", () => {
    place();
    assert.deepEqual(calls, ["+e0003000 7", "+e0003004 7"]);
    write(COMMAND, 0);
    assert.deepEqual(calls.slice(2), ["-e0003000 7", "-e0003004 7"]);
  });

  it("follows the BAR", () => {
    place();
    calls.length = 0;
    write(BAR4, BAR + 0x4000);
    assert.deepEqual(calls, ["-e0003000 7", "-e0003004 7", "+e0007000 7", "+e0007004 7"]);
  });

  it("asks for nothing that it has", () => {
    place();
    calls.length = 0;
    write(COMMAND, 2);
    write(BAR4, BAR);
    assert.deepEqual(calls, []);
  });

  it("gives up what left the bus, and what is reset", () => {
    place();
    calls.length = 0;
    bridge.remove(pci);
    assert.deepEqual(calls, ["-e0003000 7", "-e0003004 7"]);
    bridge.reset();
    place();
    calls.length = 0;
    bridge.reset();
    assert.deepEqual(calls, ["-e0003000 7", "-e0003004 7"]);
  });

  it("does without where the host refuses, and gives nothing up that it does not have", () => {
    result = EEXIST;
    place();
    calls.length = 0;
    write(COMMAND, 0);
    assert.deepEqual(calls, []);
  });
});
