/** The back ends' side of the grant table. G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { CONSOLE_GFN, XENSTORE_GFN } from "../../shared/layout.js";
import { ARGUMENT, Guest } from "./guest.js";

// xen/include/public/grant_table.h.
const PERMIT = 1;
const ACCEPT_TRANSFER = 2;
const TRANSITIVE = 3;
const READONLY = 4;
const READING = 8;
const WRITING = 16;
const SUB_PAGE = 256;
const GRANT_TABLE_OP = 20;
const [SETUP_TABLE, QUERY_SIZE, SET_VERSION, GET_VERSION, CACHE_FLUSH] = [2, 6, 8, 10, 12];
const SELF = 0x7ff0;
const [EINVAL, ENOSYS, ESRCH] = [-22, -38, -3];

const FIRST_FRAME = 1;

/** Writes entry `ref` as the guest does; `header` is flags and, in its upper half, domid. */
function grant(guest: Guest, ref: number, header: number, frame: number): void {
  const { view } = guest.overlays.alias(FIRST_FRAME + Math.floor(ref / 512));
  const at = (ref % 512) * 8;
  view.setUint32(at + 4, frame, true);
  view.setUint32(at, header, true);
}

function flags(guest: Guest, ref: number): number {
  return guest.overlays.alias(FIRST_FRAME + Math.floor(ref / 512)).view.getUint16((ref % 512) * 8, true);
}

describe("GrantTable", () => {
  let guest: Guest;
  beforeEach(() => {
    guest = new Guest();
  });

  it("grants the console's and the store's page from the start", () => {
    assert.equal(guest.xen.grants.map(0, true), CONSOLE_GFN * 4096);
    assert.equal(guest.xen.grants.map(1, true), XENSTORE_GFN * 4096);
  });

  it("maps a page and marks it in use", () => {
    grant(guest, 8, PERMIT, 0x42);
    assert.equal(guest.xen.grants.map(8, true), 0x4_2000);
    assert.equal(flags(guest, 8), PERMIT | READING | WRITING);
    guest.xen.grants.unmap(8, true);
    assert.equal(flags(guest, 8), PERMIT);
  });

  it("maps a read-only grant for reading only (G4)", () => {
    grant(guest, 8, PERMIT | READONLY, 0x42);
    assert.equal(guest.xen.grants.map(8, true), -1);
    assert.equal(guest.xen.grants.map(8, false), 0x4_2000);
    assert.equal(flags(guest, 8), PERMIT | READONLY | READING);
    guest.xen.grants.unmap(8, false);
  });

  for (const ref of [512, 4 * 512, 2 ** 31, 2 ** 32 - 1, -1, 1.5]) {
    it(`G1: refuses ref ${ref}, which does not exist`, () => {
      assert.equal(guest.xen.grants.map(ref, false), -1);
    });
  }

  for (const [name, value] of Object.entries({ none: 0, ACCEPT_TRANSFER, TRANSITIVE, subPage: PERMIT | SUB_PAGE })) {
    it(`G2: refuses an entry of kind ${name}`, () => {
      grant(guest, 8, value, 0x42);
      assert.equal(guest.xen.grants.map(8, false), -1);
      assert.equal(flags(guest, 8), value);
    });
  }

  it("G3: refuses what is granted to another domain", () => {
    grant(guest, 8, PERMIT | (7 << 16), 0x42);
    assert.equal(guest.xen.grants.map(8, false), -1);
  });

  for (const [name, frame] of [
    ["past RAM", 0x100],
    ["far past RAM", 0xffff_ffff],
    ["in the LAPIC", 0xfee00],
  ] as const) {
    it(`G5: refuses a frame ${name}, and leaves no mark`, () => {
      grant(guest, 8, PERMIT, frame);
      assert.equal(guest.xen.grants.map(8, true), -1);
      assert.equal(flags(guest, 8), PERMIT);
    });
  }

  it("G5: refuses a frame that an overlay covers", () => {
    guest.overlays.map(0, 0x42);
    grant(guest, 8, PERMIT, 0x42);
    assert.equal(guest.xen.grants.map(8, false), -1);
  });

  it("G7: counts 300 maps of one grant", () => {
    grant(guest, 8, PERMIT, 0x42);
    for (let i = 0; i < 300; i++) assert.equal(guest.xen.grants.map(8, true), 0x4_2000);
    for (let i = 0; i < 299; i++) guest.xen.grants.unmap(8, true);
    assert.equal(flags(guest, 8), PERMIT | READING | WRITING);
    guest.xen.grants.unmap(8, true);
    assert.equal(flags(guest, 8), PERMIT);
  });

  it("G8: keeps to the first frame while mapped, whatever the guest does to the entry", () => {
    grant(guest, 8, PERMIT, 0x42);
    guest.xen.grants.map(8, false);
    grant(guest, 8, 0, 0x43);
    assert.equal(guest.xen.grants.map(8, false), 0x4_2000);
    guest.xen.grants.unmap(8, false);
    guest.xen.grants.unmap(8, false);
    assert.equal(flags(guest, 8), 0);
    assert.equal(guest.xen.grants.map(8, false), -1);
  });

  it("drops the writing mark with the last writer, the reading mark with the last reader", () => {
    grant(guest, 8, PERMIT, 0x42);
    guest.xen.grants.map(8, true);
    guest.xen.grants.map(8, false);
    guest.xen.grants.unmap(8, true);
    assert.equal(flags(guest, 8), PERMIT | READING);
    guest.xen.grants.unmap(8, false);
    assert.equal(flags(guest, 8), PERMIT);
  });

  it("is one for all threads", () => {
    const twin = guest.twin();
    grant(guest, 8, PERMIT, 0x42);
    assert.equal(twin.grants.map(8, true), 0x4_2000);
    guest.xen.grants.unmap(8, true);
    assert.equal(twin.grants.pins(8), 0);
  });

  it("lets a back end that outlived a reset unmap in vain", () => {
    grant(guest, 8, PERMIT, 0x42);
    guest.xen.grants.map(8, true);
    guest.xen.softReset();
    guest.xen.grants.unmap(8, true);
    assert.deepEqual([guest.xen.grants.pins(8), flags(guest, 8)], [0, 0]);
  });
});

describe("grant_table_op", () => {
  let guest: Guest;
  beforeEach(() => {
    guest = new Guest();
  });

  it("query_size tells the frames that are and that may be", () => {
    assert.equal(guest.op(GRANT_TABLE_OP, QUERY_SIZE, SELF, 0, 0, 0xffff), 0);
    assert.deepEqual([guest.out(1), guest.out(2), guest.out(3) & 0xffff], [1, 4, 0]);
  });

  it("query_size of another domain is a status, not an error", () => {
    assert.equal(guest.op(GRANT_TABLE_OP, QUERY_SIZE, 9, 0, 0, 0), 0);
    assert.equal(guest.out(3) & 0xffff, 0xfffe);
  });

  it("setup_table grows the table and lists where its frames are", () => {
    guest.overlays.map(FIRST_FRAME, 0x50);
    assert.equal(guest.op(GRANT_TABLE_OP, SETUP_TABLE, SELF, 2, 0xffff, 0, 0x3000, 0), 0);
    assert.equal(guest.out(2) & 0xffff, 0);
    assert.deepEqual([guest.word(0x3000), guest.word(0x3004)], [0x50, 0]);
    assert.deepEqual([guest.word(0x3008), guest.word(0x300c)], [0xffff_ffff, 0xffff_ffff]);
    assert.equal(guest.xen.grants.frames, 2);
  });

  it("G11: setup_table beyond the maximum is a general error", () => {
    assert.equal(guest.op(GRANT_TABLE_OP, SETUP_TABLE, SELF, 5, 0, 0, 0x3000, 0), 0);
    assert.equal(guest.out(2) & 0xffff, 0xffff);
    assert.equal(guest.xen.grants.frames, 1);
  });

  it("G10: is of version 1 until told otherwise", () => {
    assert.equal(guest.op(GRANT_TABLE_OP, SET_VERSION, 1), 0);
    assert.equal(guest.op(GRANT_TABLE_OP, GET_VERSION, SELF, 0), 0);
    assert.equal(guest.out(1), 1);
    assert.equal(guest.op(GRANT_TABLE_OP, GET_VERSION, 4, 0), ESRCH);
  });

  it("G12: refuses unknown operations, and counts that make no sense", () => {
    assert.equal(guest.op(GRANT_TABLE_OP, CACHE_FLUSH), ENOSYS);
    assert.equal(guest.op(GRANT_TABLE_OP, 60), ENOSYS);
    assert.equal(guest.call(GRANT_TABLE_OP, QUERY_SIZE, ARGUMENT, 0xffff_ffff), EINVAL);
    assert.equal(guest.call(GRANT_TABLE_OP, QUERY_SIZE, ARGUMENT, 2), EINVAL);
  });
});
