/** xen_version, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { ARGUMENT, Guest } from "../guest.js";
import { check } from "./table.js";

// xen/include/public/xen.h, errno.h.
const XEN_VERSION = 17;
const NOWHERE = 0x7000_0000;
const EPERM = -1;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;

describe("xen_version", () => {
  check([
    ["version", XEN_VERSION, [0, 0], 0x4_0011],
    ["pagesize", XEN_VERSION, [7, 0], 4096],
    ["pagesize with an argument", XEN_VERSION, [7, ARGUMENT], EINVAL],
    ["build_id", XEN_VERSION, [10, ARGUMENT], EPERM],
    ["extraversion to nowhere", XEN_VERSION, [1, NOWHERE], EFAULT],
    ["sub-operation 11", XEN_VERSION, [11, ARGUMENT], ENOSYS],
  ]);

  for (const [name, command, size, text] of [
    ["extraversion", 1, 16, ".0"],
    ["capabilities", 3, 1024, "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "],
    ["changeset", 4, 64, "unavailable"],
    ["commandline", 9, 1024, "<denied>"],
  ] as const) {
    it(`H7: ${name} fills its buffer, zeros to the end (XSA-122), and no byte more`, () => {
      const guest = new Guest();
      guest.ram.bytes.fill(0xaa, ARGUMENT, ARGUMENT + 2048);
      assert.equal(guest.call(XEN_VERSION, command, ARGUMENT), 0);
      const filled = guest.ram.bytes.slice(ARGUMENT, ARGUMENT + size);
      assert.equal(Buffer.from(filled).toString("latin1"), text.padEnd(size, "\0"));
      assert.equal(guest.ram.bytes[ARGUMENT + size], 0xaa);
    });
  }

  it("get_features tells of an HVM guest's, in submap 0 only", () => {
    const guest = new Guest();
    guest.op(XEN_VERSION, 6, 0, 0);
    // Bits 18 and 19: areas of vcpu_op by physical address, features.h of Xen 4.18.
    assert.equal(guest.out(1), 0xc_0707);
    guest.op(XEN_VERSION, 6, 1, 0xff);
    assert.equal(guest.out(1), 0);
  });

  it("guest_handle gives the UUID", () => {
    const guest = new Guest();
    guest.call(XEN_VERSION, 8, ARGUMENT);
    assert.deepEqual([...guest.ram.bytes.subarray(ARGUMENT, ARGUMENT + 16)], [...guest.config.handle]);
  });

  it("platform_parameters are as wide as the caller", () => {
    const guest = new Guest();
    guest.call(XEN_VERSION, 5, ARGUMENT);
    assert.deepEqual([guest.out(0), guest.out(1)], [0, 0xffff_8000]);
    guest.words(ARGUMENT, 0, 0x1234);
    guest.frame.longMode = false;
    guest.call(XEN_VERSION, 5, ARGUMENT);
    assert.deepEqual([guest.out(0), guest.out(1)], [0xf580_0000, 0x1234]);
  });
});
