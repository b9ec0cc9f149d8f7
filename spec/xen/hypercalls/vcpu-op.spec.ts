/** vcpu_op, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { vcpuId } from "../../../shared/brand.js";
import { ARGUMENT, Guest } from "../guest.js";
import { check } from "./table.js";

// xen/include/public/xen.h, errno.h.
const VCPU_OP = 24;
const NOWHERE = 0x7000_0000;
const ENOENT = -2;
const EFAULT = -14;
const EINVAL = -22;

describe("vcpu_op", () => {
  check([
    ["a vCPU that does not exist", VCPU_OP, [3, 2, 0], ENOENT],
    ["a vCPU of 2^32-1", VCPU_OP, [10, 0xffff_ffff, ARGUMENT], ENOENT],
    ["is_up of the boot vCPU", VCPU_OP, [3, 0, 0], 1],
    ["is_up of one that has not shown itself", VCPU_OP, [3, 1, 0], 0],
    ["get_physid", VCPU_OP, [12, 0, ARGUMENT], EINVAL],
    ["H17: singleshot timer of another vCPU", VCPU_OP, [8, 1, ARGUMENT], EINVAL],
    ["stopping another vCPU's singleshot timer", VCPU_OP, [9, 1, 0], EINVAL],
    ["stopping a periodic timer that does not run", VCPU_OP, [7, 1, 0], 0],
  ]);

  it("is_up of one that made a hypercall", () => {
    const guest = new Guest();
    guest.frame.vcpu = vcpuId(1);
    assert.equal(guest.call(VCPU_OP, 3, 1, 0), 1);
  });

  for (const [name, low, high, result] of [
    ["below 1 ms", 999_999, 0, EINVAL],
    ["of 1 ms", 1_000_000, 0, 0],
    ["above 2^62 ns", 0, 0x8000_0000, EINVAL],
  ] as const) {
    it(`H16: a periodic timer ${name} answers ${result}`, () => {
      const guest = new Guest();
      guest.words(ARGUMENT, low, high);
      assert.equal(guest.call(VCPU_OP, 6, 1, ARGUMENT), result);
    });
  }

  for (const offset of [0, 2032, 4032, 4048, 4049, 4095]) {
    it(`H15: a runstate area at offset ${offset} of a page is written, over the page's end too`, () => {
      const guest = new Guest();
      guest.words(ARGUMENT, 0x2_0000 + offset, 0);
      guest.host.nowNs += 1000;
      assert.equal(guest.call(VCPU_OP, 5, 0, ARGUMENT), 0);
      const area = guest.ram.bytes.slice(0x2_0000 + offset, 0x2_0000 + offset + 16);
      assert.equal(new DataView(area.buffer).getUint32(8, true), 1_000_000_000);
    });
  }

  it("H15: a runstate area of a 32-bit guest has its layout", () => {
    const guest = new Guest();
    guest.frame.longMode = false;
    guest.xen.latchLongMode(false);
    guest.words(ARGUMENT, 0x2_0000, 0xffff_ffff);
    assert.equal(guest.call(VCPU_OP, 5, 0, ARGUMENT), 0);
    assert.equal(guest.word(0x2_0004), 1_000_000_000);
  });

  it("refuses areas nowhere", () => {
    const guest = new Guest();
    guest.words(ARGUMENT, NOWHERE, 0);
    assert.equal(guest.call(VCPU_OP, 5, 0, ARGUMENT), EFAULT);
    assert.equal(guest.call(VCPU_OP, 13, 0, ARGUMENT), EFAULT);
    guest.words(ARGUMENT, 0x2_0ff0, 0);
    assert.equal(guest.call(VCPU_OP, 13, 0, ARGUMENT), EFAULT);
  });

  it("copies the time to its second place without promising that it stays exact", () => {
    const guest = new Guest();
    const shared = guest.xen.domain.sharedInfo.bytes;
    shared.set([2, 0, 0, 0, 0, 0, 0, 0, 9, 8, 7, 6, 5, 4, 3, 2], 32);
    shared[32 + 29] = 1;
    guest.words(ARGUMENT, 0x2_0100, 0);
    assert.equal(guest.call(VCPU_OP, 13, 0, ARGUMENT), 0);
    assert.deepEqual([...guest.ram.bytes.subarray(0x2_0108, 0x2_010c)], [9, 8, 7, 6]);
    assert.equal(guest.ram.bytes[0x2_0100 + 29], 0);
    assert.equal(guest.word(0x2_0100) % 2, 0);
  });

  it("tells the host where the vCPU's time is", () => {
    const guest = new Guest();
    guest.words(ARGUMENT, 0x20, 0, 0x40, 0);
    guest.call(VCPU_OP, 10, 1, ARGUMENT);
    assert.deepEqual(guest.host.taken("request"), ["setVcpuTime 1 0x20060"]);
  });
});
