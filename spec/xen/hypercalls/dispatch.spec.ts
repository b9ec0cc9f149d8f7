/** The way to a hypercall and back, beside what the rows in tables/ see. H-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { bytesKept } from "../../support/heap.js";
import { FakeKernel } from "../fake-host.js";
import { Guest } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const XEN_VERSION = 17;
const EVENT_CHANNEL_OP = 32;
const HVM_OP = 34;
const SELF = 0x7ff0;
const EPERM = -1;
const ENOSYS = -38;
/** Of calls without end; and bytes that may stay for each: less than any object has. */
const FLOOD = 100_000;
const NOTHING_KEPT = 4;

describe("hypercall dispatch", () => {
  it("logs what is unknown once, with its arguments, in a flood too (H23)", () => {
    const guest = new Guest();
    for (let i = 0; i < 3; i++) guest.call(55, 1, 0x22, 3);
    assert.deepEqual(
      guest.host.records.map(({ message, fields }) => [message, fields["arguments"]]),
      [["Unknown hypercall 55", "0x1 0x22 0x3"]],
    );
  });

  it("keeps nothing of a flood of unknown hypercalls, numbers and sub-operations (H23)", () => {
    const guest = new Guest();
    let number = 0;
    const kept = bytesKept(FLOOD, () => {
      number++;
      assert.equal(guest.call(1000 + number), ENOSYS);
      assert.equal(guest.call(EVENT_CHANNEL_OP, 1000 + number), ENOSYS);
    });
    assert(kept < NOTHING_KEPT, `${kept} bytes each`);
    assert.equal(guest.host.records.length, 64);
  });

  it("H2: answers EPERM above ring 0, and does nothing", () => {
    const guest = new Guest();
    guest.frame.cpl = 3;
    assert.equal(guest.call(XEN_VERSION, 0), EPERM);
    assert.equal(guest.op(HVM_OP, 0, SELF, 0, 9, 0), EPERM);
    assert.equal(guest.xen.domain.paramLow(0), 0);
  });

  it("H6: looks at no upper halves of a 32-bit caller (XSA-454)", () => {
    const guest = new Guest();
    guest.frame.longMode = false;
    guest.frame.junk = 0xdead_beef;
    assert.equal(guest.op(EVENT_CHANNEL_OP, 4, 1), 0);
    assert.equal(guest.call(XEN_VERSION, 7, 0), 4096);
  });
});

describe("hypercalls on the kernel transport", () => {
  it("leave the guest's mode as it was latched, whoever calls", () => {
    const kernel = new FakeKernel();
    const guest = new Guest({ kernel });
    guest.frame.longMode = false;
    guest.call(XEN_VERSION, 0);
    assert.deepEqual([guest.xen.domain.longMode, kernel.latched], [true, true]);
  });

  it("have KVM follow when the hypercall page is placed, or the callback set, by code of the other mode", () => {
    const kernel = new FakeKernel();
    const guest = new Guest({ kernel });
    guest.xen.latchLongMode(false);
    assert.deepEqual([guest.xen.domain.longMode, kernel.latched], [false, false]);
    guest.op(HVM_OP, 0, SELF, 0, 9, 0);
    assert.deepEqual([guest.xen.domain.longMode, kernel.latched], [true, true]);
  });
});
