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
const ENXIO = -6;
const EEXIST = -17;

describe("vcpu_op", () => {
  check([
    ["a vCPU that does not exist", VCPU_OP, [3, 2, 0], ENOENT],
    ["a vCPU of 2^32-1", VCPU_OP, [10, 0xffff_ffff, ARGUMENT], ENOENT],
    ["is_up of the boot vCPU", VCPU_OP, [3, 0, 0], 1],
    ["is_up of one that has not shown itself", VCPU_OP, [3, 1, 0], 0],
    ["get_physid", VCPU_OP, [12, 0, ARGUMENT], EINVAL],
    ["H17: singleshot timer of another vCPU", VCPU_OP, [8, 1, ARGUMENT], EINVAL],
    ["stopping another vCPU's singleshot timer", VCPU_OP, [9, 1, 0], EINVAL],
    ["send_nmi with an argument", VCPU_OP, [11, 0, ARGUMENT], EINVAL],
    ["up of one without registers", VCPU_OP, [1, 1, 0], EINVAL],
    ["up of one that is up", VCPU_OP, [1, 0, 0], 0],
    ["down of one that never started", VCPU_OP, [2, 1, 0], 0],
    ["initialise of one that runs", VCPU_OP, [0, 0, ARGUMENT], EEXIST],
    ["initialise with all zeros", VCPU_OP, [0, 1, ARGUMENT], EINVAL],
    ["initialise with registers nowhere", VCPU_OP, [0, 1, NOWHERE], EFAULT],
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

  it("sets the time back in both places, after a pause that is not to show", () => {
    const guest = new Guest();
    const shared = guest.xen.domain.sharedInfo.view;
    guest.words(ARGUMENT, 0x2_0100, 0);
    guest.xen.moveTimeBack(vcpuId(0), 5e9);
    assert.equal(shared.getUint32(32, true), 0);
    shared.setUint32(32, 6, true);
    shared.setBigUint64(32 + 16, 12_000_000_003n, true);
    guest.call(VCPU_OP, 13, 0, ARGUMENT);
    guest.xen.moveTimeBack(vcpuId(0), 5e9);
    assert.deepEqual([shared.getUint32(32, true), shared.getBigUint64(32 + 16, true)], [8, 7_000_000_003n]);
    assert.equal(guest.word(0x2_0110) + guest.word(0x2_0114) * 2 ** 32, 7_000_000_003);
  });

  it("tells the host where the vCPU's time is", () => {
    const guest = new Guest();
    guest.words(ARGUMENT, 0x20, 0, 0x40, 0);
    guest.call(VCPU_OP, 10, 1, ARGUMENT);
    assert.deepEqual(guest.host.taken("request"), ["setVcpuTime 1 0x20060"]);
  });

  describe("starting and stopping", () => {
    /** struct vcpu_hvm_context of 64-bit mode: rip, cr0, cr4, efer. */
    function registers(guest: Guest, at: number): void {
      guest.words(at, 1);
      guest.words(at + 8 + 64, 0x1000);
      guest.words(at + 8 + 80, 0x8000_0001);
      guest.words(at + 8 + 96, 0x20);
      guest.words(at + 8 + 104, 0x100);
    }

    it("goes from initialise to up, which tells the vCPU's thread", () => {
      const guest = new Guest();
      registers(guest, ARGUMENT);
      assert.equal(guest.call(VCPU_OP, 0, 1, ARGUMENT), 0);
      assert.equal(guest.call(VCPU_OP, 3, 1, 0), 0);
      assert.equal(guest.call(VCPU_OP, 0, 1, ARGUMENT), EEXIST);
      assert.equal(guest.call(VCPU_OP, 1, 1, 0), 0);
      assert.equal(guest.call(VCPU_OP, 3, 1, 0), 1);
      assert.deepEqual(guest.host.taken(), ["vcpuPowerChanged 1"]);
      assert.equal(guest.xen.vcpuStates.takeContext(vcpuId(1))?.registers[65], 0x10);
    });

    it("goes down and up again, as often as you like, with one word for each change", () => {
      const guest = new Guest();
      guest.xen.vcpuStarted(vcpuId(1));
      for (const [command, up] of [
        [2, 0],
        [2, 0],
        [1, 1],
        [1, 1],
      ] as const) {
        assert.equal(guest.call(VCPU_OP, command, 1, 0), 0);
        assert.equal(guest.call(VCPU_OP, 3, 1, 0), up);
      }
      assert.deepEqual(guest.host.taken(), ["vcpuPowerChanged 1", "vcpuPowerChanged 1"]);
    });

    it("knows a vCPU that SIPI has started since, once its thread is asked", () => {
      const guest = new Guest();
      guest.host.duringSettle = (vcpu) => {
        guest.xen.vcpuStarted(vcpu);
      };
      assert.equal(guest.call(VCPU_OP, 3, 1, 0), 1);
      registers(guest, ARGUMENT);
      assert.equal(guest.call(VCPU_OP, 0, 1, ARGUMENT), EEXIST);
    });

    it("powers off with the last vCPU that goes down", () => {
      const guest = new Guest();
      assert.equal(guest.call(VCPU_OP, 2, 0, 0), 0);
      assert.deepEqual(guest.host.taken(), ["shutdown 0 poweroff"]);
      assert(guest.xen.vcpuStates.isUp(vcpuId(0)));
    });

    it("does not power off while another is up", () => {
      const guest = new Guest();
      guest.xen.vcpuStarted(vcpuId(1));
      assert.equal(guest.call(VCPU_OP, 2, 0, 0), 0);
      assert.deepEqual(guest.host.taken(), ["vcpuPowerChanged 0"]);
      assert(guest.xen.vcpuStates.isDown(vcpuId(0)));
    });

    it("refuses to initialise a vCPU beyond the 32nd that has no vcpu_info", () => {
      const guest = new Guest({ vcpus: 34 });
      registers(guest, ARGUMENT + 0x100);
      assert.equal(guest.call(VCPU_OP, 0, 32, ARGUMENT + 0x100), EINVAL);
      guest.words(ARGUMENT, 0x20, 0, 0x40, 0);
      assert.equal(guest.call(VCPU_OP, 10, 32, ARGUMENT), 0);
      assert.equal(guest.call(VCPU_OP, 0, 32, ARGUMENT + 0x100), 0);
    });

    it("sends an NMI", () => {
      const guest = new Guest();
      assert.equal(guest.call(VCPU_OP, 11, 1, 0), 0);
      assert.deepEqual(guest.host.taken(), ["injectNmi 1"]);
    });
  });

  describe("register_vcpu_info", () => {
    function register(guest: Guest, vcpu: number, offset: number): number {
      guest.words(ARGUMENT, 0x20, 0, offset, 0);
      return guest.call(VCPU_OP, 10, vcpu, ARGUMENT);
    }

    it("takes the contents along and marks every event as pending", () => {
      const guest = new Guest();
      guest.xen.domain.sharedInfo.bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 4], 0);
      guest.xen.domain.sharedInfo.bytes[16] = 0x55; // arch.cr2
      guest.ram.bytes.fill(0xee, 0x2_0040, 0x2_0080);
      assert.equal(register(guest, 0, 0x40), 0);
      assert.deepEqual([guest.ram.bytes[0x2_0040], guest.ram.bytes[0x2_0050]], [1, 0x55]);
      assert.deepEqual([guest.word(0x2_0048), guest.word(0x2_004c)], [0xffff_ffff, 0xffff_ffff]);
    });

    it("clears what a vCPU beyond the 32nd gets as its first", () => {
      const guest = new Guest({ vcpus: 34 });
      guest.ram.bytes.fill(0xee, 0x2_0040, 0x2_0080);
      assert.equal(register(guest, 33, 0x40), 0);
      assert.deepEqual([guest.ram.bytes[0x2_0040], guest.ram.bytes[0x2_0050]], [1, 0]);
    });

    it("is done once for each vCPU", () => {
      const guest = new Guest();
      assert.equal(register(guest, 0, 0x40), 0);
      assert.equal(register(guest, 0, 0x40), EINVAL);
      assert.equal(register(guest, 1, 0x80), 0);
    });

    it("is not for another vCPU that runs", () => {
      const guest = new Guest();
      guest.xen.vcpuStarted(vcpuId(1));
      assert.equal(register(guest, 1, 0x40), EINVAL);
      guest.call(VCPU_OP, 2, 1, 0);
      assert.equal(register(guest, 1, 0x40), 0);
    });

    it("is for another vCPU in its last halt, as firmware leaves it", () => {
      const guest = new Guest();
      guest.xen.vcpuStarted(vcpuId(1));
      guest.xen.vcpuStates.noteLastHalt(vcpuId(1), true);
      assert.equal(register(guest, 1, 0x40), 0);
    });

    it("is for another vCPU that a soft reset has left up, once", () => {
      const guest = new Guest();
      guest.xen.vcpuStarted(vcpuId(1));
      guest.xen.softReset();
      assert.equal(register(guest, 1, 0x40), 0);
      guest.xen.reset();
      guest.xen.vcpuStarted(vcpuId(1));
      assert.equal(register(guest, 1, 0x40), EINVAL);
    });

    it("is not for another vCPU that was started anew after a soft reset", () => {
      const guest = new Guest();
      guest.xen.vcpuStarted(vcpuId(1));
      guest.xen.softReset();
      guest.xen.vcpuStates.noteInit(vcpuId(1));
      guest.xen.vcpuStarted(vcpuId(1));
      assert.equal(register(guest, 1, 0x40), EINVAL);
    });
  });

  describe("a soft reset", () => {
    it("leaves the time of every vCPU in shared_info, from wherever it was", () => {
      const guest = new Guest();
      guest.words(ARGUMENT, 0x20, 0, 0x40, 0);
      assert.equal(guest.call(VCPU_OP, 10, 0, ARGUMENT), 0);
      const [moved, stayed] = [0x2_0040 + 32, 64 + 32];
      guest.ram.bytes.fill(0x11, moved, moved + 32);
      guest.xen.domain.sharedInfo.bytes.fill(0x22, stayed, stayed + 32);
      guest.xen.softReset();
      const info = guest.xen.domain.sharedInfo.bytes;
      assert.deepEqual([...new Set(info.subarray(32, 64))], [0x11]);
      assert.deepEqual([...new Set(info.subarray(stayed, stayed + 32))], [0x22]);
      assert.deepEqual([...new Set(info.subarray(0, 32))].includes(0x11), false);
    });
  });

  describe("areas by physical address", () => {
    const RUNSTATE = 14;
    const TIME = 15;

    it("hold the runstate", () => {
      const guest = new Guest();
      guest.words(ARGUMENT, 0x2_0008, 0);
      assert.equal(guest.call(VCPU_OP, RUNSTATE, 0, ARGUMENT), 0);
      assert.equal(guest.word(0x2_0010), 1_000_000_000);
      guest.words(ARGUMENT, 0xffff_ffff, 0xffff_ffff);
      assert.equal(guest.call(VCPU_OP, RUNSTATE, 0, ARGUMENT), 0);
      assert.equal(guest.xen.runstateGpa(vcpuId(0)), -1);
    });

    it("hold the time", () => {
      const guest = new Guest();
      guest.xen.domain.sharedInfo.bytes.set([2, 0, 0, 0, 0, 0, 0, 0, 9], 32);
      guest.words(ARGUMENT, 0x2_0100, 0);
      assert.equal(guest.call(VCPU_OP, TIME, 0, ARGUMENT), 0);
      assert.equal(guest.ram.bytes[0x2_0108], 9);
    });

    for (const [name, low, high, result] of [
      ["over a page's end", 0x2_0fe8, 0, ENXIO],
      ["that is not aligned", 0x2_0004, 0, ENXIO],
      ["without memory", NOWHERE, 0, EINVAL],
      ["beyond what we count", 0, 0x1000, EINVAL],
    ] as const) {
      it(`are refused ${name}`, () => {
        const guest = new Guest();
        guest.words(ARGUMENT, low, high);
        assert.equal(guest.call(VCPU_OP, RUNSTATE, 0, ARGUMENT), result);
        assert.equal(guest.call(VCPU_OP, TIME, 0, ARGUMENT), result);
      });
    }
  });
});
