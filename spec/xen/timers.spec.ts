import assert from "node:assert/strict";
import { vcpuId } from "../../shared/brand.js";
import type { EvtchnPort } from "../../shared/brand.js";
import { VcpuRequest } from "../../xen/host.js";
import { FakeKernel } from "./fake-host.js";
import { ARGUMENT, Guest } from "./guest.js";

const vcpu0 = vcpuId(0);
const vcpu1 = vcpuId(1);
// FakeHost starts at 1 s.
const NOW = 1e9;

function bindTimer(guest: Guest, vcpu: number): EvtchnPort {
  assert.equal(guest.op(32, 1, 0, vcpu, 0), 0);
  return guest.out(2) as EvtchnPort;
}

describe("XenTimers", () => {
  let guest: Guest;
  let port: EvtchnPort;
  beforeEach(() => {
    guest = new Guest();
    port = bindTimer(guest, 0);
  });

  it("arms the host, fires VIRQ_TIMER when due, and is done", () => {
    guest.xen.timers.setTimer(vcpu0, NOW + 500);
    assert.equal(guest.host.deadlines.get(0), NOW + 500);
    guest.xen.timers.expire(vcpu0, NOW + 499);
    assert.equal(guest.xen.delivery.pending(port), false);
    guest.xen.timers.expire(vcpu0, NOW + 500);
    assert.equal(guest.xen.delivery.pending(port), true);
    assert.equal(guest.host.deadlines.get(0), Infinity);
  });

  it("H17: fires at once for a time in the past", () => {
    guest.xen.timers.setTimer(vcpu0, NOW - 1);
    assert.equal(guest.xen.delivery.pending(port), true);
    assert.equal(guest.host.deadlines.get(0), Infinity);
  });

  it("H17: fires in 100 ms for times that are negative or 13 days away", () => {
    for (const deadline of [2 ** 63, 2 ** 64 - 1, NOW + 2 ** 50]) {
      guest.xen.timers.setTimer(vcpu0, deadline);
      assert.equal(guest.host.deadlines.get(0), NOW + 100e6);
    }
    guest.xen.timers.setTimer(vcpu0, NOW + 2 ** 50 - 1024);
    assert.equal(guest.host.deadlines.get(0), NOW + 2 ** 50 - 1024);
  });

  it("stops at 0", () => {
    guest.xen.timers.setTimer(vcpu0, NOW + 500);
    guest.xen.timers.setTimer(vcpu0, 0);
    assert.equal(guest.host.deadlines.get(0), Infinity);
    guest.xen.timers.expire(vcpu0, NOW + 1000);
    assert.equal(guest.xen.delivery.pending(port), false);
  });

  it("keeps the beat of a periodic timer, without making up for missed ticks", () => {
    const other = bindTimer(guest, 1);
    guest.xen.timers.setPeriodic(vcpu1, 10e6);
    guest.xen.timers.expire(vcpu1, NOW + 35e6);
    assert.equal(guest.xen.delivery.pending(other), true);
    assert.equal(guest.host.deadlines.get(1), NOW + 40e6);
    guest.xen.timers.stopPeriodic(vcpu1);
    assert.equal(guest.host.deadlines.get(1), Infinity);
  });

  it("arms the earlier of the two timers", () => {
    guest.xen.timers.setPeriodic(vcpu0, 10e6);
    guest.xen.timers.setTimer(vcpu0, NOW + 3e6);
    assert.equal(guest.host.deadlines.get(0), NOW + 3e6);
    guest.xen.timers.expire(vcpu0, NOW + 3e6);
    assert.equal(guest.host.deadlines.get(0), NOW + 10e6);
  });

  it("is lost when nobody has bound VIRQ_TIMER", () => {
    guest.op(32, 3, port);
    guest.xen.timers.setTimer(vcpu0, NOW - 1);
    assert.equal(guest.xen.delivery.pending(port), false);
  });

  describe("where KVM runs timers", () => {
    const SYNC = VcpuRequest.syncXen;

    beforeEach(() => {
      guest = new Guest({ kernel: new FakeKernel() });
      guest.words(ARGUMENT, 0x7ff0, 0, 0, 0, 0x30, 0);
      guest.call(12, 7, ARGUMENT);
      port = bindTimer(guest, 0);
      // HVM_PARAM_CALLBACK_IRQ: by vector 0xf3.
      guest.xen.delivery.setCallback(2 << 24, 0xf3);
      guest.host.taken();
    });

    it("keeps KVM's away while one of ours waits, and asks for it when that has fired", () => {
      guest.xen.timers.setSingleshot(vcpu0, NOW + 500);
      assert.equal(guest.xen.kernelTimerPort(vcpu0), 0);
      guest.xen.timers.expire(vcpu0, NOW + 499);
      assert.deepEqual(guest.host.taken(), []);
      guest.xen.timers.expire(vcpu0, NOW + 500);
      assert.equal(guest.xen.kernelTimerPort(vcpu0), port);
      assert.deepEqual(guest.host.taken(), [`request 0 ${SYNC}`]);
    });

    it("asks for KVM's when ours is stopped, or fires at once", () => {
      guest.xen.timers.setSingleshot(vcpu0, NOW + 500);
      guest.xen.timers.stopSingleshot(vcpu0);
      assert.deepEqual(guest.host.taken(), [`request 0 ${SYNC}`]);
      guest.xen.timers.setSingleshot(vcpu0, NOW - 1);
      assert.deepEqual(guest.host.taken(), [`request 0 ${SYNC}`]);
    });
  });

  it("keeps the time left over save and restore", () => {
    guest.xen.timers.setTimer(vcpu0, NOW + 500);
    const other = new Guest();
    other.host.nowNs = 7e9;
    other.xen.restore(structuredClone(guest.xen.save()));
    assert.equal(other.host.deadlines.get(0), 7e9 + 500);
  });
});
