/** memory_op, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { vcpuId } from "../../../shared/brand.js";
import { Guest, RAM_BYTES } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const MEMORY_OP = 12;
const SELF = 0x7ff0;
const NOWHERE = 0x7000_0000;
const EPERM = -1;
const ENOENT = -2;
const ESRCH = -3;
const EFAULT = -14;
const EINVAL = -22;
const EOPNOTSUPP = -95;

describe("memory_op", () => {
  const ADD = 7;
  /** struct xen_add_to_physmap of a 64-bit guest: domid and size, space, idx, gpfn. */
  function add(guest: Guest, space: number, index: number, frame: number): number {
    return guest.op(MEMORY_OP, ADD, SELF, space, index, 0, frame, 0);
  }

  it("add_to_physmap shows shared_info, and moves it", () => {
    const guest = new Guest();
    assert.equal(add(guest, 0, 0, 0x30), 0);
    assert.equal(add(guest, 0, 0, 0x2_0000), 0);
    assert.deepEqual([...guest.host.overlays], [[0, 0x2_0000]]);
    assert.equal(guest.xen.vcpuInfoGpa(vcpuId(1)), 0x2000_0040);
  });

  it("add_to_physmap grows the grant table", () => {
    const guest = new Guest();
    assert.equal(add(guest, 1, 3, 0x31), 0);
    assert.equal(guest.xen.grants.frames, 4);
    assert.equal(guest.host.overlays.get(4), 0x31);
  });

  for (const [name, space, index, frame, result] of [
    ["shared_info with an index", 0, 1, 0x30, EINVAL],
    ["a grant frame past the last", 1, 4, 0x30, EINVAL],
    ["a status frame", 1, 0x8000_0000, 0x30, EINVAL],
    ["gmfn", 2, 0, 0x30, EOPNOTSUPP],
    ["gmfn_foreign", 4, 0, 0x30, EPERM],
    ["dev_mmio", 5, 0, 0x30, EPERM],
    ["a space that is none", 9, 0, 0x30, EINVAL],
    ["the LAPIC's frame", 0, 0, 0xfee00, EINVAL],
    ["a frame beyond all", 0, 0, 0xffff_ffff, EINVAL],
  ] as const) {
    it(`H9: add_to_physmap answers ${result} to ${name}`, () => {
      assert.equal(add(new Guest(), space, index, frame), result);
    });
  }

  it("H9: add_to_physmap knows no other domain", () => {
    assert.equal(new Guest().op(MEMORY_OP, ADD, 3, 0, 0, 0, 0x30, 0), ESRCH);
  });

  it("G11: two overlays at one frame leave the last one there", () => {
    const guest = new Guest();
    add(guest, 0, 0, 0x30);
    add(guest, 1, 0, 0x30);
    assert.deepEqual([...guest.host.overlays], [[1, 0x30]]);
  });

  it("reaches an overlay page by its frame, over RAM or not", () => {
    const guest = new Guest();
    add(guest, 0, 0, 0x30);
    guest.xen.domain.sharedInfo.view.setUint32(0x10, 0xabcd, true);
    assert.equal(guest.vm.u32(0, 0x3_0010), 0xabcd);
    add(guest, 0, 0, 0x8_0000);
    assert.equal(guest.vm.u32(0, 0x8000_0010), 0xabcd);
    assert.equal(guest.vm.u32(0, 0x3_0010), 0);
  });

  it("remove_from_physmap takes it away", () => {
    const guest = new Guest();
    add(guest, 0, 0, 0x30);
    assert.equal(guest.op(MEMORY_OP, 15, SELF, 0, 0x30, 0), 0);
    assert.equal(guest.host.overlays.size, 0);
    assert.equal(guest.op(MEMORY_OP, 15, SELF, 0, 0x5_0000, 0), ENOENT);
  });

  it("add_to_physmap_batch answers for each entry", () => {
    const guest = new Guest();
    guest.words(0x3000, 0, 0, 9, 0);
    guest.words(0x3100, 0x30, 0, 0x31, 0);
    assert.equal(guest.op(MEMORY_OP, 23, SELF | (1 << 16), 2, 0x3000, 0, 0x3100, 0, 0x3200, 0), 0);
    assert.deepEqual([guest.word(0x3200) | 0, guest.word(0x3204) | 0], [0, EINVAL]);
  });

  it("add_to_physmap_batch of a 32-bit guest has narrow arrays", () => {
    const guest = new Guest();
    guest.frame.longMode = false;
    guest.words(0x3000, 0, 1);
    guest.words(0x3100, 0x30, 0x31);
    assert.equal(guest.op(MEMORY_OP, 23, SELF | (1 << 16), 2, 0x3000, 0x3100, 0x3200), 0);
    assert.deepEqual(
      [...guest.host.overlays],
      [
        [1, 0x30],
        [2, 0x31],
      ],
    );
  });

  it("H10: add_to_physmap_batch of 65535 entries ends at the first bad pointer", () => {
    const guest = new Guest();
    assert.equal(guest.op(MEMORY_OP, 23, SELF | (1 << 16), 0xffff, 0x3000, 0, 0x3000, 0, NOWHERE, 0), EFAULT);
    assert.equal(guest.op(MEMORY_OP, 23, SELF | (3 << 16), 1, 0, 0, 0, 0, 0, 0), EINVAL);
    assert.equal(guest.op(MEMORY_OP, 23, SELF | (4 << 16), 1, 0, 0, 0, 0, 0, 0), EPERM);
  });

  it("memory_map gives the e820 entries", () => {
    const guest = new Guest();
    assert.equal(guest.op(MEMORY_OP, 9, 5, 0, 0x3000, 0), 0);
    assert.equal(guest.out(0), 1);
    assert.deepEqual(
      [0, 4, 8, 12, 16].map((at) => guest.word(0x3000 + at)),
      [0, 0, RAM_BYTES, 0, 1],
    );
    assert.equal(guest.op(MEMORY_OP, 9, 0, 0, 0x3000, 0), EINVAL);
    assert.equal(guest.op(MEMORY_OP, 9, 5, 0, NOWHERE, 0), EFAULT);
  });

  it("answers how much memory there is", () => {
    const guest = new Guest();
    assert.deepEqual(
      [2, 3, 4, 14].map((command) => guest.op(MEMORY_OP, command, SELF)),
      [256, 256, 256, 255],
    );
    assert.equal(guest.op(MEMORY_OP, 3, 9), ESRCH);
  });

  it("lets the guest's balloon take frames out and put them back, zeroed", () => {
    const guest = new Guest();
    guest.words(0x3000, 0x40, 0, 0x41, 0, 0x5_0000, 0);
    guest.words(0x4_0000, 0xabcd);
    /** struct xen_memory_reservation: extent_start, nr_extents, extent_order, mem_flags, domid. */
    const reservation = [0x3000, 0, 3, 0, 0, 0, SELF] as const;
    assert.equal(guest.op(MEMORY_OP, 1, ...reservation), 2);
    assert.equal(guest.op(MEMORY_OP, 3, SELF), 254);
    assert.equal(guest.op(MEMORY_OP, 1, ...reservation), 0);
    assert.equal(guest.op(MEMORY_OP, 6, ...reservation), 2);
    assert.equal(guest.word(0x4_0000), 0);
    assert.equal(guest.op(MEMORY_OP, 3, SELF), 256);
  });

  it("H11: moves nothing for absurd orders and counts", () => {
    const guest = new Guest();
    for (const order of [10, 31, 255, 0xffff_ffff]) {
      assert.equal(guest.op(MEMORY_OP, 6, 0x3000, 0, 1, 0, order, 0, SELF), 0);
    }
    for (let node = 0; node < 256; node++) {
      assert.equal(guest.op(MEMORY_OP, 6, 0x3000, 0, 1, 0x8000_0000, 0, node << 8, SELF), 0);
    }
    assert.equal(guest.op(MEMORY_OP, 6, NOWHERE, 0, 1, 0, 0, 0, SELF), 0);
  });
});
