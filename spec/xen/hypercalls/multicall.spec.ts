/** multicall, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { Guest } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const MULTICALL = 13;
const MEMORY_OP = 12;
const XEN_VERSION = 17;
const SELF = 0x7ff0;
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
    assert.equal(guest.call(MULTICALL, 0x3000, 0xffff_ffff), EFAULT);
    assert.equal(guest.call(MULTICALL, NOWHERE, 1), EFAULT);
  });

  it("H21: has the guest call again for the rest of a long list", () => {
    const guest = new Guest();
    const entries = 2500;
    for (let i = 0; i < entries; i++) guest.words(0x3000 + i * 64, XEN_VERSION, 0, 0, 0, 7);
    guest.frame.args[2] = 0x1234;
    assert.equal(guest.call(MULTICALL, 0x3000, entries, 0x1234), 0);
    assert.equal(guest.exits, 3);
    const results = Array.from({ length: entries }, (_, i) => guest.word(0x3008 + i * 64));
    assert.deepEqual(results, new Array<number>(entries).fill(4096));
    assert.equal(guest.frame.args[2], 0x1234, "a register that is no argument");
  });

  it("goes on with an entry that has more to do than one exit may take, and with those behind it", () => {
    const guest = new Guest();
    const entries = 600;
    // XENMEM_add_to_physmap_batch to no space, and what a 32-bit caller gives.
    guest.frame.longMode = false;
    guest.words(0x2000, SELF | (77 << 16), entries, 0x4000, 0x4000, 0x8000);
    guest.words(0x3000, MEMORY_OP, 0, 23, 0x2000);
    guest.words(0x3020, XEN_VERSION, 0, 7, 0);
    assert.equal(guest.call(MULTICALL, 0x3000, 2), 0);
    assert.equal(guest.exits, 3);
    assert.deepEqual([guest.word(0x3004), guest.word(0x3024)], [0, 4096]);
    assert.equal(guest.word(0x3008), 23 + 512 * 64, "the entry says how far it got");
    assert.equal(guest.word(0x8000 + (entries - 1) * 4) | 0, EINVAL);
  });
});
