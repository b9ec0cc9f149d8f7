/** The way to a hypercall and back, whichever it is. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { FakeKernel } from "../fake-host.js";
import { ARGUMENT, Guest, RAM_BYTES } from "../guest.js";
import { check } from "./table.js";

// xen/include/public/xen.h, errno.h.
const XEN_VERSION = 17;
const EVENT_CHANNEL_OP = 32;
const HVM_OP = 34;
const SELF = 0x7ff0;
const NOWHERE = 0x7000_0000;
const EPERM = -1;
const EFAULT = -14;
const ENOSYS = -38;

describe("hypercall dispatch", () => {
  check([
    ["H1: 0, of PV guests", 0, [], ENOSYS],
    ["H1: 39, argo", 39, [], ENOSYS],
    ["H1: 55", 55, [], ENOSYS],
    ["H1: 127", 127, [], ENOSYS],
    ["H1: 128 and more", 0xffff_ffff, [], ENOSYS],
    ["H20: sysctl", 35, [], EPERM],
    ["H20: domctl", 36, [], EPERM],
    ["H20: platform_op", 7, [], EPERM],
    ["nmi_op", 28, [0, ARGUMENT], ENOSYS],
    ["an unknown sub-operation", EVENT_CHANNEL_OP, [99, ARGUMENT], ENOSYS],
    ["a sub-operation of 2^31", EVENT_CHANNEL_OP, [0x8000_0000, ARGUMENT], ENOSYS],
    ["H3: an argument nowhere", EVENT_CHANNEL_OP, [4, NOWHERE], EFAULT],
    ["H4: an argument that runs off the end of memory", EVENT_CHANNEL_OP, [6, RAM_BYTES - 4], EFAULT],
  ]);

  it("logs what is unknown once, with its arguments", () => {
    const guest = new Guest();
    for (let i = 0; i < 3; i++) guest.call(55, 1, 0x22, 3);
    assert.deepEqual(
      guest.host.records.map(({ message, fields }) => [message, fields["arguments"]]),
      [["Unknown hypercall 55", "0x1 0x22 0x3"]],
    );
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
  it("take KVM's word for the guest's mode when it differs", () => {
    const kernel = new FakeKernel();
    const guest = new Guest({ kernel });
    kernel.latched = false;
    guest.frame.longMode = false;
    guest.call(XEN_VERSION, 0);
    assert.equal(guest.xen.domain.longMode, false);
  });
});
