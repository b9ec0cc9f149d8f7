/** memory_op, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { vcpuId } from "../../../shared/brand.js";
import { FakeKernel } from "../fake-host.js";
import { Guest, RAM_BYTES } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const MEMORY_OP = 12;
const SELF = 0x7ff0;
const NOWHERE = 0x7000_0000;
const EPERM = -1;
const ENOENT = -2;
const ESRCH = -3;
const EACCES = -13;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;
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
    ["gmfn_foreign", 4, 0, 0x30, ENOSYS],
    ["dev_mmio", 5, 0, 0x30, EACCES],
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
    assert.equal(guest.op(MEMORY_OP, 23, SELF | (3 << 16), 1, 0, 0, 0, 0, 0, 0), EOPNOTSUPP);
    assert.equal(guest.op(MEMORY_OP, 23, SELF | (4 << 16), 1, 0x3000, 0, 0x3000, 0, 0x3100, 0), 0);
    assert.equal(guest.word(0x3100) | 0, EPERM);
  });

  it("add_to_physmap_batch has the guest call again for the rest of a long list", () => {
    const guest = new Guest();
    const entries = 600;
    assert.equal(guest.op(MEMORY_OP, 23, SELF | (77 << 16), entries, 0x3000, 0, 0x3000, 0, 0x8000, 0), 0);
    assert.equal(guest.exits, 3);
    const errors = Array.from({ length: entries }, (_, i) => guest.word(0x8000 + i * 4) | 0);
    assert.deepEqual(errors, new Array<number>(entries).fill(EINVAL));
    assert.equal(guest.word(0x8000 + entries * 4), 0);
  });

  /** Frames of which each holds its number; what a run of `size` has left there. */
  function moveRun(from: number, to: number, size: number): { guest: Guest; at: (frame: number) => number } {
    const guest = new Guest();
    for (let frame = 0x40; frame < 0x60; frame++) guest.words(frame * 4096, frame);
    assert.equal(guest.op(MEMORY_OP, ADD, SELF | (size << 16), 3, from, 0, to, 0), 0);
    return { guest, at: (frame) => guest.word(frame * 4096) };
  }

  for (const [what, from, to] of [
    ["up", 0x44, 0x46],
    ["down", 0x46, 0x44],
    ["far", 0x44, 0x50],
  ] as const) {
    it(`add_to_physmap moves a run of RAM ${what}, over itself too`, () => {
      const { guest, at } = moveRun(from, to, 4);
      assert.deepEqual(
        [0, 1, 2, 3].map((i) => at(to + i)),
        [from, from + 1, from + 2, from + 3],
      );
      const lost = Math.min(4, Math.abs(to - from));
      assert.equal(guest.op(MEMORY_OP, 3, SELF), 256 - lost);
      assert.equal(guest.host.taken().filter((call) => call.startsWith("discardFrames")).length, 4);
    });
  }

  it("add_to_physmap tells who keeps shared_info that it has moved, by its frame, and covered", () => {
    const guest = new Guest({ kernel: new FakeKernel() });
    add(guest, 0, 0, 0x30);
    assert.equal(add(guest, 2, 0x30, 0x31), 0);
    assert.deepEqual([...guest.host.overlays], [[0, 0x31]]);
    assert.equal(guest.xen.vcpuInfoGpa(vcpuId(0)), 0x3_1000);
    assert.equal(add(guest, 1, 0, 0x31), 0);
    assert.deepEqual([...guest.host.overlays], [[1, 0x31]]);
    assert.equal(guest.xen.vcpuInfoGpa(vcpuId(0)), -1);
  });

  it("memory_map gives the e820 entries", () => {
    const guest = new Guest();
    assert.equal(guest.op(MEMORY_OP, 9, 5, 0, 0x3000, 0), 0);
    assert.equal(guest.out(0), 1);
    assert.deepEqual(
      [0, 4, 8, 12, 16].map((at) => guest.word(0x3000 + at)),
      [0, 0, RAM_BYTES, 0, 1],
    );
    assert.equal(guest.op(MEMORY_OP, 9, 0, 0, 0x3000, 0), 0);
    assert.equal(guest.out(0), 0);
    assert.equal(guest.op(MEMORY_OP, 9, 5, 0, NOWHERE, 0), EFAULT);
  });

  it("set_memory_map changes what memory_map tells, until the domain is a new one, over save and restore", () => {
    const guest = new Guest();
    const map = (): number[] => {
      assert.equal(guest.op(MEMORY_OP, 9, 5, 0, 0x3000, 0), 0);
      return [guest.out(0), guest.word(0x3000), guest.word(0x3010)];
    };
    guest.words(0x4000, 0x7000, 0, 0x1000, 0, 2, 0x9000, 0, 0x1000, 0, 3);
    assert.equal(guest.op(MEMORY_OP, 13, SELF, 0, 2, 0, 0x4000, 0), 0);
    assert.deepEqual(map(), [2, 0x7000, 2]);
    const state = guest.xen.save();
    guest.xen.softReset();
    assert.deepEqual(map(), [1, 0, 1]);
    guest.xen.restore(state);
    assert.deepEqual(map(), [2, 0x7000, 2]);
  });

  it("set_memory_map leaves what was there when part of the new one is missing", () => {
    const guest = new Guest();
    assert.equal(guest.op(MEMORY_OP, 13, SELF, 0, 1024, 0, RAM_BYTES - 4096, 0), EFAULT);
    guest.op(MEMORY_OP, 9, 1024, 0, 0x3000, 0);
    assert.equal(guest.out(0), 1);
  });

  it("answers how much memory there is", () => {
    const guest = new Guest();
    assert.deepEqual(
      [2, 3, 4, 14].map((command) => guest.op(MEMORY_OP, command, SELF)),
      [256, 256, 256, 255],
    );
    assert.equal(guest.op(MEMORY_OP, 3, 9), ESRCH);
  });

  it("lets the guest's balloon take frames out and put them back, and gives them to the host (V8)", () => {
    const guest = new Guest();
    guest.words(0x3000, 0x40, 0, 0x41, 0, 0x5_0000, 0);
    /** struct xen_memory_reservation: extent_start, nr_extents, extent_order, mem_flags, domid. */
    const reservation = [0x3000, 0, 3, 0, 0, 0, SELF] as const;
    assert.equal(guest.op(MEMORY_OP, 1, ...reservation), 2);
    assert.deepEqual(guest.host.taken(), ["discardFrames 0x40 2"]);
    assert.equal(guest.op(MEMORY_OP, 3, SELF), 254);
    assert.equal(guest.op(MEMORY_OP, 1, ...reservation), 0);
    assert.equal(guest.op(MEMORY_OP, 6, ...reservation), 2);
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
