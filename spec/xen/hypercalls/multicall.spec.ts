/** multicall, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { Guest } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const MULTICALL = 13;
const XEN_VERSION = 17;
const NOWHERE = 0x7000_0000;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;

describe("multicall", () => {
  it("runs its entries and writes each result in the caller's width", () => {
    const guest = new Guest();
    // op, result, six arguments; 64 bytes each.
    guest.words(0x3000, XEN_VERSION, 0, 0, 0, 7);
    guest.words(0x3040, 55);
    assert.equal(guest.call(MULTICALL, 0x3000, 2), 0);
    assert.deepEqual([guest.word(0x3008), guest.word(0x300c)], [4096, 0]);
    assert.deepEqual([guest.word(0x3048), guest.word(0x304c)], [ENOSYS >>> 0, 0xffff_ffff]);
    guest.frame.longMode = false;
    guest.words(0x3000, XEN_VERSION, 0, 7, 0);
    assert.equal(guest.call(MULTICALL, 0x3000, 1), 0);
    assert.equal(guest.word(0x3004), 4096);
  });

  it("H21: does not nest, and takes no absurd counts or pointers", () => {
    const guest = new Guest();
    guest.words(0x3000, MULTICALL, 0, 0, 0, 0x3000, 0, 1, 0);
    assert.equal(guest.call(MULTICALL, 0x3000, 1), 0);
    assert.equal(guest.word(0x3008) | 0, EINVAL);
    assert.equal(guest.call(MULTICALL, 0x3000, 0xffff_ffff), EINVAL);
    assert.equal(guest.call(MULTICALL, NOWHERE, 1), EFAULT);
  });
});
