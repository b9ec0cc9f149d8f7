/** What a domain's end is called: [SCHED] xen.git xen/include/public/sched.h, SHUTDOWN_*. */
import assert from "node:assert/strict";
import { vcpuId } from "../../shared/brand.js";
import { latchShutdown, shutDown } from "../../xen/shutdown.js";
import { Guest } from "./guest.js";

const CRASH = 3;

describe("shutDown()", () => {
  it("ends the machine for what was latched, once", () => {
    const { xen, host } = new Guest();
    latchShutdown(xen.domain, CRASH);
    shutDown(xen, vcpuId(1), 0);
    shutDown(xen, vcpuId(1), 1);
    assert.deepEqual(host.taken(), ["shutdown 1 crash", "shutdown 1 reboot"]);
  });

  it("keeps what was latched over save and restore", () => {
    const saved = new Guest();
    latchShutdown(saved.xen.domain, CRASH);
    const { xen, host } = new Guest();
    xen.restore(saved.xen.save());
    host.taken();
    shutDown(xen, vcpuId(0), 0);
    assert.deepEqual(host.taken(), ["shutdown 0 crash"]);
  });
});
