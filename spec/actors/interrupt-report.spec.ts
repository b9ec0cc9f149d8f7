import assert from "node:assert/strict";
import { describeInterrupts } from "../../actors/interrupt-report.js";
import { vcpuId } from "../../shared/brand.js";
import { Guest } from "../xen/guest.js";

// xen/include/public: xen.h, event_channel.h, vcpu.h, hvm/hvm_op.h.
const VCPU_OP = 24;
const SET_SINGLESHOT_TIMER = 8;
const HVM_OP = 34;
const SET_EVTCHN_UPCALL_VECTOR = 23;
const ARGUMENT = 0x100;

const vcpu = { getLapic: lapic, getMpState: () => 3 };

function lapic(): Uint8Array {
  const page = new Uint8Array(1024);
  const view = new DataView(page.buffer);
  view.setUint32(0x80, 0x10, true);
  view.setUint32(0xf0, 0x1ff, true);
  view.setUint32(0x320, 0x400ec, true);
  // Vectors 0x31 and 0xf3 wait
  view.setUint32(0x200 + 0x10, 1 << 0x11, true);
  view.setUint32(0x200 + 7 * 0x10, 1 << 0x13, true);
  return page;
}

describe("describeInterrupts()", () => {
  it("says what the local APIC holds", () => {
    assert.deepEqual(describeInterrupts(vcpu, vcpuId(0), undefined), [
      "halted; lapic svr 1ff tpr 10 timer 400ec irr 31,f3 isr -",
    ]);
  });

  it("says what Xen holds for the vCPU", () => {
    const guest = new Guest();
    const line = (): string | undefined => describeInterrupts(vcpu, vcpuId(0), guest.xen)[1];
    assert.equal(line(), "xen: upcall not pending selector 0 no timer");
    guest.words(ARGUMENT, 0, 0xf3);
    assert.equal(guest.call(HVM_OP, SET_EVTCHN_UPCALL_VECTOR, ARGUMENT), 0);
    guest.words(ARGUMENT, 0, 1000, 0, 0);
    assert.equal(guest.call(VCPU_OP, SET_SINGLESHOT_TIMER, 0, ARGUMENT), 0);
    guest.xen.delivery.mark(guest.xen.storePort, vcpuId(0));
    assert.match(line() ?? "", /^xen: upcall pending vector f3 selector 1 timer in \d+ us$/);
  });
});
