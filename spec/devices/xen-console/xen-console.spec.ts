import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { domId, gpa } from "../../../shared/brand.js";
import { logTo } from "../../../shared/log.js";
import { GuestMemory, MemoryRegion } from "../../../shared/memory.js";
import { XenConsole } from "../../../devices/xen-console/xen-console.js";
import { XenStore } from "../../../xen/xenstore/store.js";

const FRONT = "/local/domain/1/device/console/1";
const BACK = "/local/domain/0/backend/console/1/1";
const PAGE = 4096;

describe("XenConsole", () => {
  let store: XenStore;
  let region: MemoryRegion;
  let mapped: number[];
  let bound: Map<number, number>;
  let notified: number[];
  let printed: number[];
  let console: XenConsole;

  beforeEach(() => {
    store = new XenStore();
    region = new MemoryRegion(gpa(0), 4 * PAGE, new SharedArrayBuffer(4 * PAGE));
    mapped = [];
    bound = new Map();
    notified = [];
    printed = [];
    console = new XenConsole(
      {
        store: store.client(),
        log: logTo("console", () => undefined),
        memory: new GuestMemory([region]),
        grants: {
          map: (ref) => {
            if (ref > 10) return -1;
            mapped.push(ref);
            return ref * PAGE;
          },
          unmap: (ref) => {
            assert.ok(mapped.includes(ref));
            mapped.splice(mapped.indexOf(ref), 1);
          },
        },
        ports: {
          bindBackend: (port, owner) => port < 100 && bound.set(port, owner).size > 0,
          unbindBackend: (port) => {
            assert.ok(bound.delete(port));
          },
          notifyGuest: (port) => notified.push(port),
        },
        output: { push: (value) => printed.push(value) > 0 },
        input: { shift: () => -1 },
      },
      { domid: domId(1), index: 1, owner: 0 },
    );
    console.device.start();
    store.dispatch();
  });

  function front(keys: Readonly<Record<string, string | number>>, state: number): string | undefined {
    const client = store.client();
    for (const [name, value] of Object.entries(keys)) client.write(`${FRONT}/${name}`, value);
    client.write(`${FRONT}/state`, state);
    store.dispatch();
    return client.read(`${BACK}/state`);
  }

  it("connects to the ring that the front end granted, and prints what waits in it", () => {
    region.bytes.set([0x68, 0x69], 2 * PAGE + 1024);
    region.view.setUint32(2 * PAGE + 3084, 2, true);
    assert.equal(front({ "ring-ref": 2, port: 7 }, 3), "4");
    assert.deepEqual(printed, [0x68, 0x69]);
    assert.deepEqual(notified, [7]);
    assert.equal(console.port, 7);
    assert.deepEqual([...bound], [[7, 0]]);
  });

  it("lets go of page and port when the front end closes, and connects again", () => {
    front({ "ring-ref": 2, port: 7 }, 3);
    assert.equal(front({}, 6), "6");
    assert.deepEqual([mapped, bound.size, console.port], [[], 0, 0]);
    region.view.setUint32(2 * PAGE + 3084, 9, true);
    console.ring.pump();
    assert.deepEqual(printed, []);
    assert.equal(front({}, 1), "2");
    assert.equal(front({}, 3), "4");
    assert.equal(printed.length, 9);
  });

  it("refuses keys that cannot be used, keeping nothing", () => {
    for (const keys of [
      { "ring-ref": "x", port: 7 },
      { "ring-ref": 11, port: 7 },
      { "ring-ref": 5, port: 7 },
      { "ring-ref": 2, port: 0 },
      { "ring-ref": 2, port: 100 },
      { "ring-ref": 2, port: "-1" },
    ]) {
      assert.equal(front(keys, 3), "5", JSON.stringify(keys));
      assert.deepEqual([mapped, bound.size], [[], 0]);
      front({}, 6);
      front({}, 1);
    }
  });
});
