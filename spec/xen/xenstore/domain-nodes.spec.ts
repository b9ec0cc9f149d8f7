import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import type { EvtchnPort, Gfn } from "../../../shared/brand.js";
import { removeDomainNodes, writeDomainNodes } from "../../../xen/xenstore/domain-nodes.js";
import type { DomainNodesConfig } from "../../../xen/xenstore/domain-nodes.js";
import { StoreDriver } from "./store-driver.js";

const headless: DomainNodesConfig = {
  domid: domId(1),
  name: "debian",
  uuid: "5f2a0c6e-0000-4000-8000-000000000001",
  vcpus: 2,
  onlineVcpus: 1,
  memoryKiB: 524_288,
  videoRamKiB: 0,
  store: { frame: 0xfeff9 as Gfn, port: 1 as EvtchnPort },
  features: ["poweroff", "reboot"],
};
const config: DomainNodesConfig = {
  ...headless,
  console: { frame: 0xfeff8 as Gfn, port: 2 as EvtchnPort, limit: 1_048_576, output: "pty" },
};

describe("writeDomainNodes()", () => {
  it("gives the guest what a toolstack does, readable to it", () => {
    const driver = new StoreDriver();
    writeDomainNodes(driver.client, config);
    driver.play([
      [1, 0, "READ name|", "debian"],
      [1, 0, "READ domid|", "1"],
      [1, 0, "READ vm|", "/vm/5f2a0c6e-0000-4000-8000-000000000001"],
      [1, 0, "READ /vm/5f2a0c6e-0000-4000-8000-000000000001/uuid|", "5f2a0c6e-0000-4000-8000-000000000001"],
      [1, 0, "READ memory/target|", "524288"],
      [1, 0, "READ memory/static-max|", "524288"],
      [1, 0, "READ memory/videoram|", "0"],
      [1, 0, "DIRECTORY cpu|", "0|1|"],
      [1, 0, "READ cpu/0/availability|", "online"],
      [1, 0, "READ cpu/1/availability|", "offline"],
      [1, 0, "READ store/port|", "1"],
      [1, 0, "READ store/ring-ref|", "1044473"],
      [1, 0, "READ console/port|", "2"],
      [1, 0, "READ console/ring-ref|", "1044472"],
      [1, 0, "READ console/type|", "xenconsoled"],
      [1, 0, "READ control/platform-feature-xs_reset_watches|", "1"],
      [1, 0, "READ control/feature-reboot|", "1"],
      [1, 0, "READ control/feature-suspend|", ""],
      [1, 0, "READ control/feature-s3|", "ENOENT"],
      [1, 0, "DIRECTORY device|", ""],
      [2, 0, "READ /local/domain/1/name|", "EACCES"],
    ]);
  });

  it("lets the guest write only where it must", () => {
    const driver = new StoreDriver();
    writeDomainNodes(driver.client, config);
    driver.play([
      [1, 0, "WRITE control/shutdown|", "OK|"],
      [1, 0, "WRITE control/feature-poweroff|1", "OK|"],
      [1, 0, "WRITE control/feature-suspend|1", "OK|"],
      [1, 0, "WRITE data/x|1", "OK|"],
      [1, 0, "WRITE attr/os/name|Linux", "OK|"],
      [1, 0, "WRITE error/device|x", "OK|"],
      [1, 0, "WRITE memory/target|1", "EACCES"],
      [1, 0, "WRITE cpu/0/availability|offline", "EACCES"],
      [1, 0, "WRITE device/vbd/51712/state|1", "EACCES"],
      [1, 0, "WRITE control/other|1", "EACCES"],
      [1, 0, "RM device|", "EACCES"],
    ]);
  });

  it("X25: takes any bytes in control/shutdown, up to what a node holds", () => {
    const driver = new StoreDriver();
    writeDomainNodes(driver.client, config);
    driver.play([
      [1, 0, "WRITE control/shutdown|garbage\u0007|\u00ff", "OK|"],
      [1, 0, `WRITE control/shutdown|${"x".repeat(4000)}`, "ENOSPC"],
      [0, 0, "READ /local/domain/1/control/shutdown|", "garbage\u0007|\u00ff"],
    ]);
  });

  it("leaves the console out when there is none", () => {
    const driver = new StoreDriver();
    writeDomainNodes(driver.client, headless);
    driver.play([[1, 0, "READ console/port|", "ENOENT"]]);
  });

  it("is undone by removeDomainNodes()", () => {
    const driver = new StoreDriver();
    const before = driver.store.save().nodes.filter(([path]) => !path.startsWith("/local/domain/1"));
    writeDomainNodes(driver.client, config);
    removeDomainNodes(driver.client, config);
    driver.client.remove("/vm");
    assert.deepEqual(driver.store.save().nodes, before);
  });
});
