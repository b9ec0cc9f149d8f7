import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import { createDevice, devicePaths, removeDevice } from "../../../xen/xenbus/device-nodes.js";
import { StoreDriver } from "../xenstore/store-driver.js";

const address = { domid: domId(1), kind: "vbd", id: 51712 };

describe("device nodes", () => {
  it("lie where xenstore-paths says", () => {
    assert.deepEqual(devicePaths(address), {
      frontend: "/local/domain/1/device/vbd/51712",
      backend: "/local/domain/0/backend/vbd/1/51712",
      error: "/local/domain/0/error/backend/vbd/1/51712/error",
    });
  });

  it("point at each other, the front end's for the guest to write and the back end's to read", () => {
    const driver = new StoreDriver();
    createDevice(driver.client, address, { frontend: { "virtual-device": 51712 }, backend: { mode: "w" } });
    driver.play([
      [1, 0, "READ device/vbd/51712/backend|", "/local/domain/0/backend/vbd/1/51712"],
      [1, 0, "READ device/vbd/51712/backend-id|", "0"],
      [1, 0, "READ device/vbd/51712/state|", "1"],
      [1, 0, "READ device/vbd/51712/virtual-device|", "51712"],
      [1, 0, "READ /local/domain/0/backend/vbd/1/51712/frontend|", "/local/domain/1/device/vbd/51712"],
      [1, 0, "READ /local/domain/0/backend/vbd/1/51712/frontend-id|", "1"],
      [1, 0, "READ /local/domain/0/backend/vbd/1/51712/online|", "1"],
      [1, 0, "READ /local/domain/0/backend/vbd/1/51712/mode|", "w"],
      [1, 0, "DIRECTORY device|", "vbd|"],
      [1, 0, "DIRECTORY device/vbd|", "51712|"],
      [1, 0, "GET_PERMS device/vbd/51712|", "n1|r0|"],
      [1, 0, "GET_PERMS /local/domain/0/backend/vbd/1/51712/state|", "n0|r1|"],
      [1, 0, "WRITE device/vbd/51712/ring-ref|8", "OK|"],
      [1, 0, "WRITE device/vbd/51713/state|1", "EACCES"],
      [1, 0, "WRITE /local/domain/0/backend/vbd/1/51712/state|6", "EACCES"],
      [2, 0, "READ /local/domain/1/device/vbd/51712/state|", "EACCES"],
    ]);
  });

  it("take the place of what was there, and go without a trace", () => {
    const driver = new StoreDriver();
    createDevice(driver.client, address, { frontend: {}, backend: {} });
    driver.ask(1, 0, "WRITE device/vbd/51712/old|1");
    createDevice(driver.client, address, { frontend: {}, backend: {} });
    assert.equal(driver.ask(1, 0, "READ device/vbd/51712/old|"), "ENOENT");
    removeDevice(driver.client, address);
    driver.play([
      [1, 0, "DIRECTORY device/vbd|", ""],
      [0, 0, "DIRECTORY /local/domain/0/backend/vbd/1|", ""],
    ]);
  });
});
