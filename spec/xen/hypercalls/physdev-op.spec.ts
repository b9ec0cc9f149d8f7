/** physdev_op, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { Guest } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const EVENT_CHANNEL_OP = 32;
const PHYSDEV_OP = 33;
const SELF = 0x7ff0;
const EPERM = -1;
const ESRCH = -3;
const EBUSY = -16;
const EINVAL = -22;
const ENOSPC = -28;

describe("physdev_op", () => {
  const [STATUS_QUERY, EOI, MAP, UNMAP, FREE] = [5, 12, 13, 14, 23];
  /** struct physdev_map_pirq: domid, type (1: GSI), index, pirq. */
  function map(guest: Guest, gsi: number, pirq: number): number {
    return guest.op(PHYSDEV_OP, MAP, SELF, 1, gsi, pirq);
  }

  it("maps a GSI to a number asked for, or to any", () => {
    const guest = new Guest();
    assert.deepEqual([map(guest, 9, 9), guest.out(3)], [0, 9]);
    assert.deepEqual([map(guest, 10, -1), guest.out(3)], [0, 16]);
    assert.deepEqual([map(guest, 10, -1), guest.out(3)], [0, 16]);
  });

  it("E16: refuses what is out of range, or taken", () => {
    const guest = new Guest();
    assert.deepEqual([map(guest, 24, 5), map(guest, -1, 5), map(guest, 5, 256)], [EINVAL, EINVAL, EINVAL]);
    // Its own number, 1, and another's: only DOMID_SELF may map.
    assert.deepEqual(
      [1, 3].map((domid) => guest.op(PHYSDEV_OP, MAP, domid, 1, 5, 5)),
      [EPERM, ESRCH],
    );
    assert.equal(guest.op(PHYSDEV_OP, MAP, SELF, 0, 5, 5), EINVAL);
    map(guest, 5, 5);
    assert.deepEqual([map(guest, 5, 5), map(guest, 6, 5), map(guest, 5, 6)], [0, EBUSY, EBUSY]);
    assert.equal(guest.op(PHYSDEV_OP, UNMAP, SELF, 5), 0);
    assert.deepEqual([guest.op(PHYSDEV_OP, UNMAP, SELF, 5), guest.op(PHYSDEV_OP, UNMAP, SELF, 999)], [0, 0]);
    assert.deepEqual([guest.op(PHYSDEV_OP, EOI, 77), guest.op(PHYSDEV_OP, EOI, 0xffff_ffff)], [EINVAL, EINVAL]);
    assert.equal(guest.op(PHYSDEV_OP, STATUS_QUERY, 0xffff_ffff, 0), EINVAL);
  });

  it("get_free_pirq gives 16 to 23 for GSIs and numbers from the top for messages", () => {
    const guest = new Guest();
    const free = (type: number): number => guest.op(PHYSDEV_OP, FREE, type, 0) || guest.out(1);
    assert.deepEqual([free(1), free(1), free(0), free(0), free(2)], [16, 17, 255, 254, EINVAL]);
  });

  it("refuses to map messages, as Xen does to an HVM guest: MSI, MSI_SEG, MULTI_MSI", () => {
    const guest = new Guest();
    for (const type of [0, 2, 3, 4, -1]) assert.equal(guest.op(PHYSDEV_OP, MAP, SELF, type, 5, -1), EINVAL);
  });

  describe("PIRQs for messages", () => {
    const free = (guest: Guest): number => guest.op(PHYSDEV_OP, FREE, 0, 0) || guest.out(1);
    const bind = (guest: Guest, pirq: number): number => guest.op(EVENT_CHANNEL_OP, 2, pirq, 0, 0) || guest.out(2);
    const close = (guest: Guest, port: number): number => guest.op(EVENT_CHANNEL_OP, 3, port);

    it("raise the port that they are bound to, and are messages to nobody else", () => {
      const guest = new Guest();
      const pirq = free(guest);
      assert.equal(guest.xen.pirqs.raiseMessage(pirq), true, "lost, as nobody listens");
      const port = bind(guest, pirq);
      assert.equal(guest.xen.delivery.pending(port as never), false);
      assert.equal(guest.xen.pirqs.raiseMessage(pirq), true);
      assert.equal(guest.xen.delivery.pending(port as never), true);
      assert.deepEqual(
        [54, 256, 0, 0xffff_ffff, -1].map((other) => guest.xen.pirqs.raiseMessage(other)),
        [false, false, false, false, false],
      );
      map(guest, 9, 9);
      assert.equal(guest.xen.pirqs.raiseMessage(9), false, "a GSI's");
    });

    it("say that their vector is unmasked when bound, and masked when closed", () => {
      const guest = new Guest();
      const pirq = free(guest);
      guest.host.calls.length = 0;
      const port = bind(guest, pirq);
      assert.equal(guest.xen.pirqs.isMessageBound(pirq), true);
      close(guest, port);
      assert.equal(guest.xen.pirqs.isMessageBound(pirq), false);
      bind(guest, pirq);
      guest.op(EVENT_CHANNEL_OP, 10, SELF);
      const changes = guest.host.calls.filter((call) => call.startsWith("messagePirq"));
      assert.deepEqual(changes, [
        "messagePirqChanged 255 true",
        "messagePirqChanged 255 false",
        "messagePirqChanged 255 true",
        "messagePirqChanged 255 false",
      ]);
    });

    it("say nothing about GSIs, nor about closes that fail", () => {
      const guest = new Guest();
      map(guest, 9, 9);
      const port = bind(guest, 9);
      close(guest, port);
      close(guest, port);
      close(guest, 0xffff_ffff);
      assert.deepEqual(
        guest.host.calls.filter((call) => call.startsWith("messagePirq")),
        [],
      );
    });

    it("want no EOI, and forgive one", () => {
      const guest = new Guest();
      const pirq = free(guest);
      assert.deepEqual([guest.op(PHYSDEV_OP, STATUS_QUERY, pirq, 9), guest.out(1)], [0, 0]);
      assert.equal(guest.op(PHYSDEV_OP, EOI, pirq), 0);
      assert.equal(guest.op(PHYSDEV_OP, UNMAP, SELF, pirq), 0);
      assert.equal(guest.op(PHYSDEV_OP, STATUS_QUERY, pirq, 0), EINVAL);
    });

    it("are given out again when there are no others: neither bound nor held by a function, the oldest first", () => {
      const guest = new Guest();
      const given = Array.from({ length: 256 - 24 }, () => free(guest));
      assert.deepEqual([given[0], given.at(-1)], [255, 24]);
      bind(guest, 255);
      guest.host.heldPirqs.add(254);
      assert.deepEqual([free(guest), free(guest)], [253, 252]);
      for (let pirq = 24; pirq < 256; pirq++) guest.host.heldPirqs.add(pirq);
      assert.equal(free(guest), ENOSPC);
      guest.host.heldPirqs.delete(253);
      assert.equal(free(guest), 253);
    });

    it("are as they were after save and restore", () => {
      const guest = new Guest();
      const pirq = free(guest);
      const port = bind(guest, pirq);
      const state = structuredClone(guest.xen.save());
      guest.xen.reset();
      assert.equal(guest.xen.pirqs.raiseMessage(pirq), false);
      guest.xen.restore(state);
      guest.xen.pirqs.raiseMessage(pirq);
      assert.equal(guest.xen.delivery.pending(port as never), true);
    });
  });

  it("takes a GSI from the IOAPIC once it is mapped and bound", () => {
    const guest = new Guest();
    const { pirqs, delivery } = guest.xen;
    assert.equal(pirqs.gsiRaised(9, 1), false);
    pirqs.gsiRaised(9, 0);
    map(guest, 9, 9);
    assert.equal(pirqs.gsiRaised(9, 1), false);
    pirqs.gsiRaised(9, 0);
    guest.op(EVENT_CHANNEL_OP, 2, 9, 1, 0);
    const port = guest.out(2) as never;
    assert.equal(pirqs.gsiRaised(9, 1), true);
    assert.equal(delivery.pending(port), true);
    assert.equal(guest.op(PHYSDEV_OP, STATUS_QUERY, 9, 0) || guest.out(1), 1);
    guest.op(PHYSDEV_OP, UNMAP, SELF, 9);
    assert.equal(pirqs.gsiRaised(9, 0), false);
  });

  it("eoi raises a level-triggered line again while it is up, and an edge-triggered one not", () => {
    const guest = new Guest();
    const { delivery } = guest.xen;
    for (const [gsi, flags] of [
      [9, 1],
      [4, 0],
    ] as const) {
      map(guest, gsi, gsi);
      guest.op(EVENT_CHANNEL_OP, 2, gsi, flags, 0);
      const port = guest.out(2) as never;
      guest.xen.pirqs.gsiRaised(gsi, 1);
      guest.host.levels.set(gsi, 1);
      delivery.clearPending(port);
      assert.equal(guest.op(PHYSDEV_OP, EOI, gsi), 0);
      assert.equal(delivery.pending(port), flags === 1);
    }
  });
});
