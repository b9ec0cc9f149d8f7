/** hvm_op, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { XENSTORE_GFN } from "../../../shared/layout.js";
import { ARGUMENT, Guest } from "../guest.js";
import { check } from "./table.js";

// xen/include/public/xen.h, errno.h.
const HVM_OP = 34;
const SELF = 0x7ff0;
const EPERM = -1;
const ESRCH = -3;
const EINVAL = -22;
const ENOSYS = -38;
const EOPNOTSUPP = -95;

describe("hvm_op", () => {
  it("get_param tells the store's and the console's page and port", () => {
    const guest = new Guest();
    const values = [1, 2, 18].map((index) => {
      assert.equal(guest.op(HVM_OP, 1, SELF, index, 0, 0), 0);
      return guest.out(2);
    });
    assert.deepEqual(values, [XENSTORE_GFN, 1, 2]);
  });

  it("get_param tells 0 of a console that is not there", () => {
    const guest = new Guest({ console: false });
    assert.equal(guest.op(HVM_OP, 1, SELF, 18, 5, 5), 0);
    assert.deepEqual([guest.out(2), guest.out(3)], [0, 0]);
  });

  it("set_param keeps what a guest may set", () => {
    const guest = new Guest();
    assert.equal(guest.op(HVM_OP, 0, SELF, 2, 77, 0), 0);
    guest.op(HVM_OP, 1, SELF, 2, 0, 0);
    assert.equal(guest.out(2), 77);
  });

  for (const [name, command, domid, index, result] of [
    ["set an index past the last", 0, SELF, 39, EINVAL],
    ["set an index of 2^32-1", 0, SELF, 0xffff_ffff, EINVAL],
    ["get an index past the last", 1, SELF, 39, EINVAL],
    ["set STORE_PFN", 0, SELF, 1, EPERM],
    ["set CONSOLE_PFN", 0, SELF, 17, EPERM],
    ["set ACPI_S_STATE", 0, SELF, 14, EPERM],
    ["get IOREQ_PFN", 1, SELF, 5, EPERM],
    ["another domain", 1, 4, 1, ESRCH],
  ] as const) {
    it(`H12: answers ${result} to: ${name}`, () => {
      assert.equal(new Guest().op(HVM_OP, command, domid, index, 1, 0), result);
    });
  }

  check([
    ["pagetable_dying", HVM_OP, [9, ARGUMENT], ENOSYS],
    ["altp2m", HVM_OP, [25, ARGUMENT], EOPNOTSUPP],
    ["guest_request_vm_event", HVM_OP, [24, 0], 0],
    ["guest_request_vm_event with an argument", HVM_OP, [24, 8], EINVAL],
  ]);

  it("get_time gives system time", () => {
    const guest = new Guest();
    guest.host.nowNs = 0x5_0000_0007;
    assert.equal(guest.call(HVM_OP, 10, ARGUMENT), 0);
    assert.deepEqual([guest.out(0), guest.out(1)], [7, 5]);
  });

  it("set_param of the callback latches the caller's mode, and the wallclock with it", () => {
    const guest = new Guest();
    guest.frame.longMode = false;
    guest.op(HVM_OP, 0, SELF, 0, 9, 0);
    assert.equal(guest.xen.domain.longMode, false);
    // 1 700 000 000 s now, system time 1 s: xen.h, struct shared_info of 32-bit guests.
    const shared = guest.xen.domain.sharedInfo.view;
    assert.equal(shared.getUint32(0x904, true), 1_699_999_999);
    assert.equal(shared.getUint32(0x900, true) % 2, 0);
  });
});
