/** Version 2 of the grant table, and copies. G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { CONSOLE_GFN, XENSTORE_GFN } from "../../shared/layout.js";
import { ARGUMENT, Guest } from "./guest.js";

// xen/include/public/grant_table.h, memory.h.
const PERMIT = 1;
const READONLY = 4;
const READING = 8;
const WRITING = 16;
const SUB_PAGE = 256;
const GRANT_TABLE_OP = 20;
const [MAP, UNMAP, SETUP_TABLE, COPY, SET_VERSION, GET_STATUS, GET_VERSION, SWAP] = [0, 1, 2, 5, 8, 9, 10, 11];
const MEMORY_OP = 12;
const ADD_TO_PHYSMAP = 7;
const SPACE_GRANT_TABLE = 1;
const STATUS_FRAME = 0x8000_0000;
const SELF = 0x7ff0;
const SOURCE_GREF = 1;
const DEST_GREF = 2;
const EINVAL = -22;
const EBUSY = -16;
const EFAULT = -14;
const STATUS_OKAY = 0;
const STATUS_ERROR = -1;
const BAD_DOMAIN = -2;
const BAD_GNTREF = -3;
const BAD_HANDLE = -4;
const DENIED = -8;
const BAD_PAGE = -9;
const BAD_COPY_ARG = -10;
const EAGAIN = -12;

const FIRST_FRAME = 1;
const ENTRIES = 256;
/** Of `maxGrantFrames: 4`. */
const FIRST_STATUS = FIRST_FRAME + 4;

function setVersion(guest: Guest, version: number): number {
  return guest.op(GRANT_TABLE_OP, SET_VERSION, version);
}

/** Writes entry `ref` of version 2; `header` is flags and domid. `part`, below, is offset and length in the page. */
function grant(guest: Guest, ref: number, header: number, frame: number): void {
  grantPart(guest, ref, header, { frame, part: 0 });
}

function grantPart(
  guest: Guest,
  ref: number,
  header: number,
  { frame, part }: { readonly frame: number; readonly part: number },
): void {
  const { view } = guest.overlays.alias(FIRST_FRAME + Math.floor(ref / ENTRIES));
  const at = (ref % ENTRIES) * 16;
  view.setUint32(at + 4, part, true);
  view.setUint32(at + 8, frame, true);
  view.setUint32(at + 12, Math.floor(frame / 2 ** 32), true);
  view.setUint32(at, header, true);
}

function statusOf(guest: Guest, ref: number): number {
  return guest.overlays.alias(FIRST_STATUS + Math.floor(ref / 2048)).view.getUint16((ref % 2048) * 2, true);
}

interface End {
  readonly page: number;
  readonly domid?: number;
  readonly offset?: number;
}

/** Source, destination, length in bytes, flags. */
type Copy = readonly [source: End, dest: End, length: number, flags?: number];

function writeCopy(guest: Guest, at: number, [source, dest, length, flags = 0]: Copy): void {
  for (const [i, { page, domid = SELF, offset = 0 }] of [source, dest].entries()) {
    guest.words(at + i * 16, page, Math.floor(page / 2 ** 32), domid | (offset << 16), 0);
  }
  guest.words(at + 32, length | (flags << 16), 0x5555);
}

function copy(guest: Guest, ...request: Copy): number {
  writeCopy(guest, ARGUMENT, request);
  assert.equal(guest.call(GRANT_TABLE_OP, COPY, ARGUMENT, 1), 0);
  return guest.ram.view.getInt16(ARGUMENT + 36, true);
}

describe("grant table version 2", () => {
  let guest: Guest;
  beforeEach(() => {
    guest = new Guest();
    assert.equal(setVersion(guest, 2), 0);
  });

  it("is told, and keeps the reserved entries", () => {
    guest.op(GRANT_TABLE_OP, GET_VERSION, SELF, 0);
    assert.equal(guest.out(1), 2);
    assert.deepEqual(
      [guest.xen.grants.map(0, true), guest.xen.grants.map(1, true)],
      [CONSOLE_GFN * 4096, XENSTORE_GFN * 4096],
    );
    assert.deepEqual([statusOf(guest, 0), statusOf(guest, 2)], [READING | WRITING, 0]);
  });

  it("maps a page and keeps its marks in the status frame", () => {
    grant(guest, 9, PERMIT, 0x42);
    assert.equal(guest.xen.grants.map(9, true), 0x4_2000);
    assert.deepEqual([statusOf(guest, 8), statusOf(guest, 9)], [0, READING | WRITING]);
    guest.xen.grants.unmap(9, true);
    assert.equal(statusOf(guest, 9), 0);
  });

  it("G4: maps a read-only grant for reading only", () => {
    grant(guest, 9, PERMIT | READONLY, 0x42);
    assert.equal(guest.xen.grants.map(9, true), -1);
    assert.equal(guest.xen.grants.map(9, false), 0x4_2000);
    assert.equal(statusOf(guest, 9), READING);
  });

  it("G2, G3, G5: refuses parts of pages, other domains, frames of 64 bits that are no memory", () => {
    grantPart(guest, 9, PERMIT | SUB_PAGE, { frame: 0x42, part: 16 << 16 });
    grant(guest, 10, PERMIT | (3 << 16), 0x42);
    grant(guest, 11, PERMIT, 0x1_0000_0042);
    assert.deepEqual(
      [9, 10, 11, ENTRIES].map((ref) => guest.xen.grants.map(ref, false)),
      [-1, -1, -1, -1],
    );
    assert.deepEqual(
      [9, 10, 11].map((ref) => statusOf(guest, ref)),
      [0, 0, 0],
    );
  });

  it("shows its status frames to the guest", () => {
    const place = (index: number, frame: number): number =>
      guest.op(MEMORY_OP, ADD_TO_PHYSMAP, SELF | (0 << 16), SPACE_GRANT_TABLE, index, 0, frame, 0);
    assert.equal(place(STATUS_FRAME, 0x50), 0);
    assert.equal(place(STATUS_FRAME + 1, 0x51), EINVAL);
    assert.equal(guest.op(GRANT_TABLE_OP, GET_STATUS, 1, SELF | (0x55 << 16), 0x3000, 0), 0);
    assert.deepEqual([guest.out(1) >>> 16, guest.word(0x3000), guest.word(0x3004)], [0, 0x50, 0]);
    assert.equal(guest.op(GRANT_TABLE_OP, GET_STATUS, 2, SELF, 0x3000, 0), 0);
    assert.equal(guest.out(1) >>> 16, 0xffff);
    assert.equal(guest.op(GRANT_TABLE_OP, GET_STATUS, 1, 9, 0x3000, 0), 0);
    assert.equal(guest.out(1) >>> 16, 0xfffe);
    // Back in version 1 they are gone (XSA-255).
    assert.equal(setVersion(guest, 1), 0);
    assert.equal(guest.overlays.frameOf(FIRST_STATUS), -1);
    assert.equal(place(STATUS_FRAME, 0x50), EINVAL);
  });

  it("grows with the frames of entries", () => {
    assert.equal(guest.op(GRANT_TABLE_OP, SETUP_TABLE, SELF, 3, 0, 0, 0x3000, 0), 0);
    assert.deepEqual([guest.xen.grants.entries, guest.xen.grants.statusFrames], [3 * ENTRIES, 1]);
    grant(guest, 3 * ENTRIES - 1, PERMIT, 0x42);
    assert.equal(guest.xen.grants.map(3 * ENTRIES - 1, false), 0x4_2000);
    assert.equal(statusOf(guest, 3 * ENTRIES - 1), READING);
  });

  it("G10: does not change while grants are mapped, and knows no version 0 and 3", () => {
    grant(guest, 9, PERMIT, 0x42);
    guest.xen.grants.map(9, false);
    assert.deepEqual([setVersion(guest, 1), setVersion(guest, 2)], [EBUSY, 0]);
    guest.xen.grants.unmap(9, false);
    assert.deepEqual([setVersion(guest, 0), setVersion(guest, 3), setVersion(guest, 1)], [EINVAL, EINVAL, 0]);
    assert.equal(guest.xen.grants.map(9, false), -1);
  });

  it("withdraws its mark from an entry that changes while it is looked at (G6)", () => {
    grant(guest, 9, PERMIT, 0x42);
    const real = Atomics.or;
    Atomics.or = ((words: Int32Array, index: number, value: number) => {
      grant(guest, 9, 0, 0x42);
      return (real as (words: Int32Array, index: number, value: number) => number)(words, index, value);
    }) as typeof Atomics.or;
    try {
      assert.equal(guest.xen.grants.map(9, true), -1);
    } finally {
      Atomics.or = real;
    }
    assert.equal(statusOf(guest, 9), 0);
  });

  it("goes back to version 1 at a reset, and is saved and restored", () => {
    const state = structuredClone(guest.xen.save());
    guest.xen.reset();
    assert.equal(guest.xen.grants.version, 1);
    guest.xen.restore(state);
    assert.equal(guest.xen.grants.version, 2);
  });
});

describe("GNTTABOP_copy", () => {
  let guest: Guest;
  beforeEach(() => {
    guest = new Guest();
    guest.ram.bytes.fill(0xaa, 0x4_2000, 0x4_3000);
  });

  it("copies between frames of the guest's own", () => {
    assert.equal(copy(guest, { page: 0x42, offset: 4080 }, { page: 0x43, offset: 3 }, 16), STATUS_OKAY);
    assert.deepEqual([...guest.ram.bytes.subarray(0x4_3002, 0x4_3014)], [0, ...new Array<number>(16).fill(0xaa), 0]);
  });

  it("copies by grants to itself, of version 1 and of parts of pages in version 2", () => {
    const { view } = guest.overlays.alias(FIRST_FRAME);
    view.setUint32(9 * 8 + 4, 0x42, true);
    view.setUint32(9 * 8, PERMIT | READONLY | (1 << 16), true);
    assert.equal(copy(guest, { page: 9 }, { page: 0x43 }, 4, SOURCE_GREF), STATUS_OKAY);
    assert.equal(view.getUint16(9 * 8, true), PERMIT | READONLY);
    assert.equal(copy(guest, { page: 0x43 }, { page: 9 }, 4, DEST_GREF), STATUS_ERROR);
    setVersion(guest, 2);
    grantPart(guest, 9, PERMIT | SUB_PAGE | (1 << 16), { frame: 0x44, part: 100 | (8 << 16) });
    assert.equal(copy(guest, { page: 0x42 }, { page: 9, offset: 101 }, 7, DEST_GREF), STATUS_OKAY);
    assert.equal(guest.ram.bytes[0x4_4000 + 101], 0xaa);
    assert.equal(copy(guest, { page: 0x42 }, { page: 9, offset: 101 }, 8, DEST_GREF), STATUS_ERROR);
    assert.equal(copy(guest, { page: 0x42 }, { page: 9, offset: 99 }, 2, DEST_GREF), STATUS_ERROR);
    assert.equal(statusOf(guest, 9), 0);
  });

  it("G9: stays inside pages, domains and memory", () => {
    const here = { page: 0x42 };
    assert.deepEqual(
      [
        copy(guest, { page: 0x42, offset: 1 }, here, 4096),
        copy(guest, here, { page: 0x42, offset: 0xffff }, 1),
        copy(guest, { page: 0x42, domid: 5 }, here, 1),
        copy(guest, { page: 0x42, domid: 0 }, here, 1),
        copy(guest, { page: 8, domid: 0 }, here, 1, SOURCE_GREF),
        copy(guest, { page: 0x1_0000 }, here, 1),
        copy(guest, { page: 2 ** 60 }, here, 1),
        copy(guest, { page: 0xffff_ffff }, here, 1, SOURCE_GREF),
        copy(guest, { page: 20 }, here, 1, SOURCE_GREF),
      ],
      [BAD_COPY_ARG, BAD_COPY_ARG, BAD_DOMAIN, DENIED, BAD_DOMAIN, BAD_PAGE, BAD_PAGE, BAD_GNTREF, STATUS_ERROR],
    );
  });

  it("G13: goes on after one that failed, and ends at a pointer to nowhere", () => {
    writeCopy(guest, ARGUMENT, [{ page: 0x42, domid: 5 }, { page: 0x43 }, 4]);
    writeCopy(guest, ARGUMENT + 40, [{ page: 0x42 }, { page: 0x43 }, 4]);
    assert.equal(guest.call(GRANT_TABLE_OP, COPY, ARGUMENT, 2), 0);
    assert.equal(guest.ram.bytes[0x4_3003], 0xaa);
    assert.equal(guest.call(GRANT_TABLE_OP, COPY, 0xf_fff0, 1), EFAULT);
    assert.equal(guest.call(GRANT_TABLE_OP, COPY, ARGUMENT, 0), 0);
  });

  it("G12: has the guest call again for the rest of a long list", () => {
    const count = 2500;
    for (let i = 0; i < count; i++) writeCopy(guest, 0x5_0000 + i * 40, [{ page: 0x42, domid: 5 }, { page: 0x43 }, 4]);
    assert.equal(guest.call(GRANT_TABLE_OP, COPY, 0x5_0000, count), 0);
    assert.equal(guest.exits, 3);
    const statuses = Array.from({ length: count }, (_, i) => guest.ram.view.getInt16(0x5_0000 + i * 40 + 36, true));
    assert.deepEqual(statuses, new Array<number>(count).fill(BAD_DOMAIN));
  });

  it("is laid out for 32-bit callers, too", () => {
    guest.frame.longMode = false;
    guest.words(ARGUMENT, 0x42, SELF, 0x43, SELF, 4, 0x5555);
    assert.equal(guest.call(GRANT_TABLE_OP, COPY, ARGUMENT, 1), 0);
    assert.equal(guest.ram.view.getInt16(ARGUMENT + 20, true), 0);
    assert.equal(guest.ram.bytes[0x4_3003], 0xaa);
  });
});

describe("other grant operations", () => {
  it("swap entries that nobody uses", () => {
    const guest = new Guest();
    const { view } = guest.overlays.alias(FIRST_FRAME);
    view.setUint32(9 * 8 + 4, 0x42, true);
    view.setUint32(9 * 8, PERMIT, true);
    guest.op(GRANT_TABLE_OP, SWAP, 9, 10, 0x5555);
    assert.equal(guest.out(2) & 0xffff, 0);
    assert.equal(guest.xen.grants.map(10, false), 0x4_2000);
    guest.op(GRANT_TABLE_OP, SWAP, 9, 10, 0);
    assert.equal(guest.ram.view.getInt16(ARGUMENT + 8, true), EAGAIN);
    guest.op(GRANT_TABLE_OP, SWAP, 9, 512, 0);
    assert.equal(guest.ram.view.getInt16(ARGUMENT + 8, true), BAD_GNTREF);
  });

  it("map nothing, as no other domain grants anything, and unmap nothing", () => {
    const guest = new Guest();
    const mapped = (domid: number): number => {
      guest.op(GRANT_TABLE_OP, MAP, 0x4_0000, 0, 2, 8, domid | (0x55 << 16));
      return guest.ram.view.getInt16(ARGUMENT + 18, true);
    };
    assert.deepEqual([0, 5, 1, SELF].map(mapped), [BAD_GNTREF, BAD_DOMAIN, STATUS_ERROR, STATUS_ERROR]);
    guest.op(GRANT_TABLE_OP, UNMAP, 0x4_0000, 0, 0, 0, 7);
    assert.equal(guest.ram.view.getInt16(ARGUMENT + 20, true), BAD_HANDLE);
  });
});
