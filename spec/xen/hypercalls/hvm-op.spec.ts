/** hvm_op: what its rows in tables/hvm-op.ts cannot see. */
import assert from "node:assert/strict";
import { XENSTORE_GFN } from "../../../shared/layout.js";
import { ARGUMENT, Guest } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const HVM_OP = 34;
const SELF = 0x7ff0;

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

  it("flush_tlbs asks the host, and refuses a mask of vCPUs", () => {
    const guest = new Guest();
    assert.deepEqual([guest.call(HVM_OP, 5, 0), guest.call(HVM_OP, 5, ARGUMENT)], [0, -22]);
    assert.deepEqual(guest.host.taken(), ["flushTlbs"]);
  });

  for (const [what, index, low, high] of [
    ["past 4 GiB", 15, 0x1000, 1],
    ["of 103 bytes", 37, 0x1000, 103],
  ] as const) {
    it(`set_param of a task state segment ${what} crashes the domain, and keeps nothing`, () => {
      const guest = new Guest();
      assert.equal(guest.op(HVM_OP, 0, SELF, index, low, high), -22);
      assert.deepEqual(guest.host.taken(), ["shutdown 0 crash"]);
      guest.op(HVM_OP, 1, SELF, 37, 1, 1);
      assert.deepEqual([guest.out(2), guest.out(3)], [0, 0]);
    });
  }
});
