import assert from "node:assert/strict";
import fc from "fast-check";
import { vcpuId } from "../../shared/brand.js";
import { runstateInfo } from "../../xen/abi/vcpu.js";
import { VcpuRequest } from "../../xen/host.js";
import { FakeKernel } from "./fake-host.js";
import { Guest } from "./guest.js";

const vcpu0 = vcpuId(0);
// vcpu.h: RUNSTATE_running, runnable, blocked, offline.
const STATES = [0, 1, 2, 3] as const;
const AREA = 0x2_0000;

describe("Runstate", () => {
  it("has times that add up to the time since the start, whatever happens", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...STATES), fc.integer({ min: 0, max: 1e9 }))), (steps) => {
        const guest = new Guest();
        const start = guest.host.nowNs;
        for (const [state, passed] of steps) {
          guest.host.nowNs += passed;
          guest.xen.runstate.change(vcpu0, state);
        }
        guest.host.nowNs += 12345;
        const view = runstateInfo.wide.view(new ArrayBuffer(48));
        guest.xen.runstate.read(vcpu0, view);
        assert.equal(view.running + view.runnable + view.blocked + view.offline, guest.host.nowNs - start);
      }),
      { numRuns: 50 },
    );
  });

  it("starts with vCPU 0 running and the others offline until they show themselves", () => {
    const guest = new Guest();
    const view = runstateInfo.wide.view(new ArrayBuffer(48));
    guest.xen.runstate.read(vcpuId(1), view);
    assert.equal(view.state, 3);
    guest.frame.vcpu = vcpuId(1);
    guest.call(17, 0);
    guest.xen.runstate.read(vcpuId(1), view);
    assert.equal(view.state, 0);
  });

  it("writes the area at each change", () => {
    const guest = new Guest();
    guest.xen.runstate.register(vcpu0, AREA, -1);
    guest.host.nowNs += 700;
    guest.xen.runstate.change(vcpu0, 2);
    assert.deepEqual([guest.word(AREA), guest.word(AREA + 8), guest.word(AREA + 16)], [2, 1_000_000_700, 700]);
  });

  it("leaves the mark of an update on no area", () => {
    const guest = new Guest();
    guest.xen.domain.runstateUpdateFlag = true;
    guest.xen.runstate.register(vcpu0, AREA, -1);
    assert.equal(guest.word(AREA + 12), 0);
  });

  it("gives KVM only areas in one piece", () => {
    const guest = new Guest();
    guest.xen.runstate.register(vcpu0, AREA + 4090, AREA + 4096);
    assert.equal(guest.xen.runstateGpa(vcpu0), AREA + 4090);
    guest.xen.runstate.register(vcpu0, AREA + 4090, 0x3_0000);
    assert.equal(guest.xen.runstateGpa(vcpu0), -1);
    guest.xen.runstate.register(vcpu0, -1, -1);
    assert.equal(guest.xen.runstateGpa(vcpu0), -1);
  });

  it("is written by KVM where that keeps runstate, but for areas in two pieces", () => {
    const guest = new Guest({ kernel: new FakeKernel() });
    guest.xen.runstate.register(vcpu0, AREA, -1);
    guest.host.nowNs += 700;
    guest.xen.runstate.change(vcpu0, 2);
    assert.equal(guest.word(AREA + 8), 0);
    assert.deepEqual(guest.host.taken(), [`request 0 ${VcpuRequest.syncXen}`]);
    guest.xen.runstate.register(vcpu0, AREA + 4072, 0x3_0000);
    assert.equal(guest.word(AREA + 4072), 2);
  });

  it("is written by us where KVM does not keep it, marks of updates included", () => {
    const guest = new Guest({ kernel: new FakeKernel({ keepsRunstate: false }) });
    // vm_assist, enable, VMASST_TYPE_runstate_update_flag
    assert.equal(guest.call(21, 0, 5), 0);
    assert.equal(guest.xen.domain.runstateUpdateFlag, true);
    guest.xen.runstate.register(vcpu0, AREA, -1);
    guest.host.nowNs += 700;
    guest.xen.runstate.change(vcpu0, 2);
    assert.deepEqual([guest.word(AREA), guest.word(AREA + 8), guest.word(AREA + 16)], [2, 1_000_000_700, 700]);
  });
});
