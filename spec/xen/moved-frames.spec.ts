/** RAM at frames where the machine has none. [MEMORY] xen.git xen/include/public/memory.h, XENMAPSPACE_gmfn */
import assert from "node:assert/strict";
import { MOVED_PAGES } from "../../xen/domain-config.js";
import { Guest } from "./guest.js";

const MEMORY_OP = 12;
const SELF = 0x7ff0;
const GMFN = 2;
const ENOMEM = -12;
const EINVAL = -22;
/** More than may be moved. */
const RAM_FRAMES = 0x600;
/** The first frame behind RAM. */
const GAP = RAM_FRAMES;
const HOME = 0x40;

function guestWithRam(): Guest {
  return new Guest({ ramBytes: RAM_FRAMES * 4096 });
}

function move(guest: Guest, from: number, to: number): number {
  return guest.op(MEMORY_OP, 7, SELF | (GMFN << 16), GMFN, from, 0, to, 0);
}

function held(guest: Guest): number {
  return guest.op(MEMORY_OP, 3, SELF);
}

/** What the guest finds at the start of a frame, -1 when nothing is there. */
function found(guest: Guest, frame: number): number {
  return guest.vm.u32(0, frame * 4096);
}

/** Every page that there is for it, each with its number. */
function moveAll(guest: Guest): void {
  for (let i = 0; i < MOVED_PAGES; i++) {
    guest.words((HOME + i) * 4096, i + 1);
    assert.equal(move(guest, HOME + i, GAP + i), 0);
  }
}

describe("RAM where the machine has none", () => {
  it("is as many pages as there are, and then answers ENOMEM and leaves RAM where it is", () => {
    const guest = guestWithRam();
    const before = held(guest);
    moveAll(guest);
    for (let i = 0; i < MOVED_PAGES; i++) assert.equal(found(guest, GAP + i), i + 1);
    const last = HOME + MOVED_PAGES;
    guest.words(last * 4096, 77);
    assert.equal(move(guest, last, GAP + MOVED_PAGES), ENOMEM);
    assert.equal(found(guest, last), 77);
    assert.equal(held(guest), before);
  });

  it("gives its page back for the next when it moves home, goes to the host or is covered", () => {
    const guest = guestWithRam();
    moveAll(guest);
    assert.equal(move(guest, GAP, HOME), 0);
    assert.equal(guest.op(MEMORY_OP, 15, SELF, 0, GAP + 1, 0), 0);
    assert.equal(guest.op(MEMORY_OP, 7, SELF | (1 << 16), 1, 0, 0, GAP + 2, 0), 0);
    for (let i = 0; i < 3; i++) assert.equal(move(guest, HOME + MOVED_PAGES + i, GAP + MOVED_PAGES + i), 0);
    assert.equal(move(guest, HOME, GAP + MOVED_PAGES + 100), ENOMEM);
  });

  it("is zero where it is populated, whatever the page held before", () => {
    const guest = guestWithRam();
    moveAll(guest);
    assert.equal(guest.op(MEMORY_OP, 15, SELF, 0, GAP, 0), 0);
    guest.words(0x3000, GAP + MOVED_PAGES + 100, 0);
    assert.equal(guest.op(MEMORY_OP, 6, 0x3000, 0, 1, 0, 0, 0, SELF), 1);
    assert.equal(found(guest, GAP + MOVED_PAGES + 100), 0);
  });

  it("stays where it is when the host does not map it, and is the guest's", () => {
    const guest = guestWithRam();
    const before = held(guest);
    guest.words(HOME * 4096, 77);
    guest.host.unmappable.add(GAP);
    assert.equal(move(guest, HOME, GAP), EINVAL);
    assert.equal(found(guest, HOME), 77);
    assert.equal(held(guest), before);
  });

  it("can be granted, as a page of Xen's cannot", () => {
    const guest = guestWithRam();
    assert.equal(move(guest, HOME, GAP), 0);
    const { view } = guest.overlays.alias(1);
    for (const [ref, frame] of [
      [8, GAP],
      [9, GAP + 1],
    ] as const) {
      view.setUint16(ref * 8, 1, true);
      view.setUint32(ref * 8 + 4, frame, true);
    }
    assert.equal(guest.op(MEMORY_OP, 7, SELF | (1 << 16), 1, 0, 0, GAP + 1, 0), 0);
    assert.equal(guest.xen.grants.map(8, true), GAP * 4096);
    assert.equal(guest.xen.grants.map(9, true), -1);
  });

  it("stays over a soft reset and over save and restore, and goes with the domain", () => {
    const guest = guestWithRam();
    guest.words(HOME * 4096, 77);
    assert.equal(move(guest, HOME, GAP), 0);
    guest.xen.softReset();
    assert.equal(found(guest, GAP), 77);
    const state = guest.xen.save();
    guest.xen.reset();
    assert.equal(found(guest, GAP), -1);
    guest.xen.restore(state);
    assert.equal(found(guest, GAP), 77);
  });
});
