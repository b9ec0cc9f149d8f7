import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { domId } from "../../../shared/brand.js";
import { logTo } from "../../../shared/log.js";
import { XenDisk } from "../../../devices/xen-disk/xen-disk.js";
import type { XenDiskConfig } from "../../../devices/xen-disk/xen-disk.js";
import { XenStore } from "../../../xen/xenstore/store.js";

const FRONT = "/local/domain/1/device/vbd/51712";
const BACK = "/local/domain/0/backend/vbd/1/51712";

const CONFIG: XenDiskConfig = {
  domid: domId(1),
  vdev: { number: 51712, name: "xvda" },
  media: "disk",
  readOnly: false,
  sectors: 2048,
  physicalSectorSize: 4096,
  discard: undefined,
  maxQueues: 1,
  owner: 3,
};

describe("XenDisk", () => {
  let store: XenStore;
  let calls: string[];
  let bound: Map<number, number>;
  let logged: string[];
  let disk: XenDisk;
  let stopsAtOnce: boolean;

  beforeEach(() => {
    stopsAtOnce = false;
    store = new XenStore();
    calls = [];
    bound = new Map();
    logged = [];
  });

  function create(config: Partial<XenDiskConfig> = {}): void {
    disk = new XenDisk(
      {
        store: store.client(),
        log: logTo("disk", ({ fields }) => logged.push(String(fields["reason"]))),
        ports: {
          bindBackend: (port, owner) => {
            if (port > 100 || bound.has(port)) return false;
            bound.set(port, owner);
            return true;
          },
          unbindBackend: (port) => {
            assert.ok(bound.delete(port));
          },
        },
        plane: {
          connect: ({ queues }) => {
            calls.push(`connect ${queues.map(({ ringRefs, port }) => `${ringRefs.join()}@${port}`).join()}`);
            if (stopsAtOnce) disk.stopped("grant 8 of the ring cannot be mapped");
          },
          disconnect: () => calls.push("disconnect"),
        },
        longMode: () => true,
        removed: () => calls.push("removed"),
      },
      { ...CONFIG, ...config },
    );
    disk.device.start();
    store.dispatch();
  }

  /** The front end writes its keys, then its state. */
  function front(keys: Readonly<Record<string, string | number>>, state: number): void {
    const client = store.client();
    for (const [name, value] of Object.entries(keys)) client.write(`${FRONT}/${name}`, value);
    client.write(`${FRONT}/state`, state);
    store.dispatch();
  }

  function node(path: string): string | undefined {
    return store.client().read(path);
  }

  function back(names: readonly string[]): (string | undefined)[] {
    return names.map((name) => node(`${BACK}/${name}`));
  }

  const KEYS = { "ring-ref": 8, "event-channel": 15, protocol: "x86_64-abi" };

  it("offers what blkif.h names, in InitWait", () => {
    create();
    assert.deepEqual(back(["state", "mode", "info", "sectors", "sector-size", "physical-sector-size"]), [
      ...["2", "w", "0", "2048", "512", "4096"],
    ]);
    assert.deepEqual(
      back(["feature-flush-cache", "feature-barrier", "feature-persistent", "feature-max-indirect-segments"]),
      ["1", "1", "1", "256"],
    );
    assert.deepEqual(back(["max-ring-page-order", "max-ring-pages", "multi-queue-max-queues"]), ["4", "16", "1"]);
    assert.deepEqual(back(["feature-discard", "discard-granularity", "discard-alignment"]), [
      undefined,
      undefined,
      undefined,
    ]);
    assert.equal(node(`${FRONT}/virtual-device`), "51712");
    assert.equal(node(`${FRONT}/device-type`), "disk");
  });

  it("offers discard where the disk has it", () => {
    create({ discard: { granularity: 4096, alignment: 0 } });
    assert.deepEqual(back(["feature-discard", "discard-granularity", "discard-alignment", "discard-secure"]), [
      ...["1", "4096", "0", "0"],
    ]);
  });

  it("tells a read-only disk and a CD", () => {
    create({ readOnly: true });
    assert.deepEqual(back(["mode", "info", "device-type"]), ["r", "4", "disk"]);
    create({ media: "cdrom" });
    assert.deepEqual(back(["mode", "info", "device-type"]), ["r", "5", "cdrom"]);
    assert.equal(node(`${FRONT}/device-type`), "cdrom");
  });

  it("does not offer barriers with several queues", () => {
    create({ maxQueues: 4 });
    assert.deepEqual(back(["feature-barrier", "multi-queue-max-queues"]), ["0", "4"]);
  });

  it("connects: binds the port to the disk's thread and hands the ring to the data plane", () => {
    create();
    front(KEYS, 3);
    assert.deepEqual(calls, ["connect 8@15"]);
    assert.deepEqual([...bound], [[15, 3]]);
    assert.equal(node(`${BACK}/state`), "4");
  });

  it("refuses bad keys with a reason in the store, and serves a front end that starts over (K13)", () => {
    create();
    front({ ...KEYS, "ring-page-order": 99 }, 3);
    assert.deepEqual(calls, []);
    assert.equal(node(`${BACK}/state`), "5");
    assert.match(node("/local/domain/0/error/backend/vbd/1/51712/error") ?? "", /pages/);
    assert.ok(logged.some((reason) => reason.includes("pages")));
    front({}, 6);
    front({ "ring-page-order": 0 }, 1);
    assert.equal(node(`${BACK}/state`), "2");
    front({}, 3);
    assert.deepEqual(calls, ["connect 8@15"]);
  });

  it("refuses a port that cannot be bound, and keeps none of several (K13)", () => {
    create({ maxQueues: 2 });
    const queues = {
      "queue-0/ring-ref": 1,
      "queue-0/event-channel": 15,
      "queue-1/ring-ref": 2,
      "queue-1/event-channel": 15,
    };
    front({ "multi-queue-num-queues": 2, ...queues }, 3);
    assert.equal(node(`${BACK}/state`), "5");
    assert.equal(bound.size, 0);
    assert.deepEqual(calls, []);
  });

  it("keeps the port until the data plane has let go, and is Closed then", () => {
    create();
    front(KEYS, 3);
    front({}, 5);
    front({}, 6);
    assert.deepEqual(calls, ["connect 8@15", "disconnect"]);
    assert.deepEqual([bound.size, node(`${BACK}/state`)], [1, "5"]);
    disk.disconnected();
    assert.deepEqual([bound.size, node(`${BACK}/state`)], [0, "6"]);
  });

  it("is offered and connected anew when the data plane has let go", () => {
    create();
    front(KEYS, 3);
    front({}, 1);
    front({ "ring-ref": 9 }, 3);
    assert.deepEqual(calls, ["connect 8@15", "disconnect"]);
    disk.disconnected();
    assert.deepEqual(calls, ["connect 8@15", "disconnect", "connect 9@15"]);
    assert.deepEqual([...bound], [[15, 3]]);
  });

  it("takes an answer that nobody waits for as nothing", () => {
    create();
    disk.disconnected();
    front(KEYS, 3);
    disk.disconnected();
    assert.equal(bound.size, 1);
    front({}, 6);
    disk.disconnected();
    front({}, 1);
    front(KEYS, 3);
    disk.disconnected();
    assert.deepEqual([bound.size, node(`${BACK}/state`)], [1, "4"]);
  });

  it("is Closing when a ring cannot be mapped, whether that is told at once or later", () => {
    create();
    stopsAtOnce = true;
    front(KEYS, 3);
    assert.deepEqual(calls, ["connect 8@15", "disconnect"]);
    assert.equal(node(`${BACK}/state`), "5");
    stopsAtOnce = false;
    front({}, 6);
    disk.disconnected();
    assert.deepEqual([bound.size, node(`${BACK}/state`)], [0, "6"]);
    front({}, 1);
    front({}, 3);
    disk.stopped("grant 8 of the ring cannot be mapped");
    assert.equal(node(`${BACK}/state`), "5");
    disk.disconnected();
    front({}, 6);
    assert.deepEqual([bound.size, node(`${BACK}/state`)], [0, "6"]);
    front({}, 1);
    front({}, 3);
    assert.equal(node(`${BACK}/state`), "4");
  });

  it("stops the device at a breach of the ring protocol, with the reason in the store (K1)", () => {
    create();
    front(KEYS, 3);
    disk.stopped("the ring lies");
    disk.stopped("the ring lies");
    store.dispatch();
    assert.equal(node(`${BACK}/state`), "5");
    assert.equal(node("/local/domain/0/error/backend/vbd/1/51712/error"), "the ring lies");
    assert.deepEqual(logged, ["the ring lies"]);
    assert.deepEqual(calls, ["connect 8@15", "disconnect"]);
  });

  it("ignores a breach on a connection that is being left", () => {
    create();
    front(KEYS, 3);
    front({}, 6);
    front({}, 1);
    front({ "event-channel": 16 }, 3);
    disk.stopped("from the first connection");
    disk.disconnected();
    assert.equal(node(`${BACK}/state`), "4");
    assert.deepEqual([...bound.keys()], [16]);
    disk.stopped("from the second");
    assert.equal(node(`${BACK}/state`), "5");
  });

  it("stays bounded when the guest toggles 1000 times and the I/O never ends (K15)", () => {
    create();
    for (let i = 0; i < 1000; i++) {
      front({ ...KEYS, "event-channel": 1 + (i % 50) }, 3);
      front({}, 6);
      front({}, 1);
    }
    assert.deepEqual(calls, ["connect 8@1", "disconnect"]);
    assert.equal(bound.size, 1);
    disk.disconnected();
    assert.deepEqual([bound.size, node(`${BACK}/state`)], [0, "2"]);
    front(KEYS, 3);
    assert.equal(node(`${BACK}/state`), "4");
  });

  it("tells a new size at once to a front end that is connected (K21)", () => {
    create();
    front(KEYS, 3);
    disk.resize(4096);
    assert.deepEqual(back(["sectors", "state"]), ["4096", "4"]);
    front({}, 6);
    disk.disconnected();
    disk.resize(8192);
    assert.deepEqual(back(["sectors", "state"]), ["4096", "6"]);
    front({}, 1);
    assert.deepEqual(back(["sectors", "state"]), ["8192", "2"]);
  });

  it("is removed at an unplug once the data plane has let go", () => {
    create();
    front(KEYS, 3);
    disk.device.unplug();
    store.dispatch();
    assert.deepEqual(back(["state", "online"]), ["5", "0"]);
    front({}, 6);
    assert.deepEqual(back(["state", "online"]), ["5", "0"]);
    assert.deepEqual(calls, ["connect 8@15", "disconnect"]);
    disk.disconnected();
    assert.equal(node(BACK), undefined);
    assert.deepEqual(calls, ["connect 8@15", "disconnect", "removed"]);
  });

  it("lets go for a reset and says when it has", () => {
    create();
    front(KEYS, 3);
    let released = 0;
    disk.release(() => released++);
    assert.equal(released, 0);
    disk.disconnected();
    assert.equal(released, 1);
    disk.release(() => released++);
    assert.equal(released, 2);
  });

  it("waits at a reset for a front end that was closing, and then serves the next kernel", () => {
    create();
    front(KEYS, 3);
    front({}, 6);
    let released = 0;
    disk.release(() => released++);
    assert.deepEqual([released, calls], [0, ["connect 8@15", "disconnect"]]);
    disk.disconnected();
    assert.deepEqual([released, bound.size], [1, 0]);
    store.reset();
    disk.device.start();
    store.dispatch();
    front(KEYS, 3);
    disk.disconnected();
    assert.deepEqual([bound.size, node(`${BACK}/state`)], [1, "4"]);
    assert.deepEqual(calls, ["connect 8@15", "disconnect", "connect 8@15"]);
  });
});
