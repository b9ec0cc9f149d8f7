/** console_io, vm_assist and set_timer_op. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { Guest } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const SET_TIMER_OP = 15;
const CONSOLE_IO = 18;
const VM_ASSIST = 21;
const NOWHERE = 0x7000_0000;
const EPERM = -1;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;

describe("console_io", () => {
  it("H8: writes bytes as they are, NULs too, and absurd counts as far as there is a text", () => {
    const guest = new Guest();
    guest.ram.bytes.set(Buffer.from("a\0b\n"), 0x3000);
    assert.equal(guest.call(CONSOLE_IO, 0, 4, 0x3000), 0);
    assert.equal(guest.host.console, "a\0b\n");
    for (const count of [0x8000_0000, 0xffff_ffff]) assert.equal(guest.call(CONSOLE_IO, 0, count, 0xf_f000), EFAULT);
    assert.equal(guest.call(CONSOLE_IO, 0, 4, NOWHERE), EFAULT);
    assert.equal(guest.call(CONSOLE_IO, 1, 4, 0x3000), EPERM);
    assert.equal(guest.call(CONSOLE_IO, 2, 4, 0x3000), EPERM);
  });
});

describe("console_io of a long text", () => {
  it("has the guest call again for the rest of it", () => {
    const guest = new Guest();
    const text = Array.from({ length: 150_000 }, (_, i) => "0123456789"[i % 10]).join("");
    guest.ram.bytes.set(Buffer.from(text), 0x3001);
    assert.equal(guest.call(CONSOLE_IO, 0, text.length, 0x3001), 0);
    assert.deepEqual([guest.exits, guest.host.console === text], [3, true]);
  });
});

describe("vm_assist", () => {
  it("knows the runstate update flag alone", () => {
    const guest = new Guest();
    assert.equal(guest.call(VM_ASSIST, 0, 5), 0);
    assert.equal(guest.xen.domain.runstateUpdateFlag, true);
    assert.equal(guest.call(VM_ASSIST, 1, 5), 0);
    assert.equal(guest.xen.domain.runstateUpdateFlag, false);
    assert.equal(guest.call(VM_ASSIST, 0, 2), EINVAL);
    assert.equal(guest.call(VM_ASSIST, 0, 0xffff_ffff), EINVAL);
    assert.equal(guest.call(VM_ASSIST, 2, 5), ENOSYS);
  });
});

describe("set_timer_op", () => {
  it("takes the time in two arguments from a 32-bit caller", () => {
    const guest = new Guest();
    guest.frame.longMode = false;
    assert.equal(guest.call(SET_TIMER_OP, 5, 1), 0);
    assert.equal(guest.host.deadlines.get(0), 0x1_0000_0005);
  });
});
