/** physdev_op, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { Guest } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const EVENT_CHANNEL_OP = 32;
const PHYSDEV_OP = 33;
const SELF = 0x7ff0;
const EPERM = -1;
const EBUSY = -16;
const EINVAL = -22;

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
    assert.equal(guest.op(PHYSDEV_OP, MAP, 3, 1, 5, 5), EPERM);
    assert.equal(guest.op(PHYSDEV_OP, MAP, SELF, 0, 5, 5), EINVAL);
    map(guest, 5, 5);
    assert.deepEqual([map(guest, 5, 5), map(guest, 6, 5), map(guest, 5, 6)], [0, EBUSY, EBUSY]);
    assert.equal(guest.op(PHYSDEV_OP, UNMAP, SELF, 5), 0);
    assert.deepEqual([guest.op(PHYSDEV_OP, UNMAP, SELF, 5), guest.op(PHYSDEV_OP, UNMAP, SELF, 999)], [EINVAL, EINVAL]);
    assert.deepEqual([guest.op(PHYSDEV_OP, EOI, 77), guest.op(PHYSDEV_OP, EOI, 0xffff_ffff)], [0, EINVAL]);
    assert.equal(guest.op(PHYSDEV_OP, STATUS_QUERY, 0xffff_ffff, 0), EINVAL);
  });

  it("get_free_pirq gives 16 to 23 for GSIs and numbers from the top for messages", () => {
    const guest = new Guest();
    const free = (type: number): number => guest.op(PHYSDEV_OP, FREE, type, 0) || guest.out(1);
    assert.deepEqual([free(1), free(1), free(0), free(0), free(2)], [16, 17, 255, 254, EINVAL]);
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
