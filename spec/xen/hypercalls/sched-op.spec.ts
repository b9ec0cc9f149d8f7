/** sched_op, as a table: who calls with what, and the answer. H-, E- and G-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { vcpuId } from "../../../shared/brand.js";
import { Guest } from "../guest.js";

// xen/include/public/xen.h, errno.h.
const SCHED_OP = 29;
const SELF = 0x7ff0;
const NOWHERE = 0x7000_0000;
const EPERM = -1;
const ESRCH = -3;
const EFAULT = -14;
const EINVAL = -22;

describe("sched_op", () => {
  const POLL = 3;
  /** struct sched_poll of a 64-bit guest: ports, nr_ports, timeout. */
  function poll(guest: Guest, ports: number, count: number, timeout = 0): number {
    return guest.op(SCHED_OP, POLL, ports, 0, count, 0, timeout, 0);
  }

  it("yield gives way", () => {
    const guest = new Guest();
    assert.equal(guest.call(SCHED_OP, 0), 0);
    assert.deepEqual(guest.host.taken(), ["yieldThread"]);
  });

  for (const [reason, name] of ["poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset"].entries()) {
    it(`shutdown ${reason} ends the machine with ${name}`, () => {
      const guest = new Guest();
      assert.equal(guest.op(SCHED_OP, 2, reason), 0);
      assert.deepEqual(guest.host.taken(), [`shutdown 0 ${name}`]);
    });
  }

  for (const reason of [6, 7, 255, 0xffff_ffff]) {
    it(`H19: shutdown ${reason}, which is no reason, powers the machine off and is logged`, () => {
      const guest = new Guest();
      assert.equal(guest.op(SCHED_OP, 2, reason), 0);
      assert.deepEqual(guest.host.taken(), ["shutdown 0 poweroff"]);
      assert.deepEqual(guest.host.records.at(-1)?.fields, { vcpu: 0, reason: reason % 256 });
    });
  }

  it("shutdown looks at the low byte of its reason", () => {
    const guest = new Guest();
    guest.op(SCHED_OP, 2, 0x1234_5601);
    assert.deepEqual(guest.host.taken(), ["shutdown 0 reboot"]);
  });

  it("shutdown_code latches the reason of the next shutdown, and the first counts", () => {
    const guest = new Guest();
    assert.deepEqual([guest.op(SCHED_OP, 5, 3), guest.op(SCHED_OP, 5, 1), guest.op(SCHED_OP, 2, 0)], [0, 0, 0]);
    guest.op(SCHED_OP, 2, 0);
    assert.deepEqual(guest.host.taken(), ["shutdown 0 crash", "shutdown 0 poweroff"]);
  });

  it("shutdown_code counts for a watchdog, too, and is forgotten in a new domain", () => {
    const guest = new Guest();
    guest.op(SCHED_OP, 5, 0xff03);
    guest.op(SCHED_OP, 6, 0, 5);
    guest.xen.timers.expire(vcpuId(0), 7e9);
    guest.op(SCHED_OP, 5, 3);
    guest.xen.softReset();
    guest.op(SCHED_OP, 2, 1);
    assert.deepEqual(
      guest.host.taken().filter((call) => call.startsWith("shutdown")),
      ["shutdown 0 crash", "shutdown 0 reboot"],
    );
  });

  it("H18: poll takes 128 ports at most, that exist", () => {
    const guest = new Guest();
    assert.equal(poll(guest, 0x3000, 129), EINVAL);
    assert.equal(poll(guest, 0x3000, 0xffff_ffff), EINVAL);
    assert.equal(poll(guest, NOWHERE, 1), EFAULT);
    guest.words(0x3000, 4096);
    assert.equal(poll(guest, 0x3000, 1), EINVAL);
    assert.deepEqual(guest.host.taken(), []);
    assert.equal(poll(guest, 0x3000, 0), 0);
    assert.deepEqual(guest.host.taken(), ["pollWait 0 Infinity"]);
  });

  it("poll returns at once for a port that is pending, or a time that is past", () => {
    const guest = new Guest();
    guest.xen.domain.sharedInfo.bytes[0x800] = 1 << 5;
    guest.words(0x3000, 4, 5);
    assert.equal(poll(guest, 0x3000, 2), 0);
    guest.words(0x3000, 4);
    assert.equal(poll(guest, 0x3000, 1, 500), 0);
    assert.deepEqual(guest.host.taken(), []);
  });

  it("poll is woken by its port, masked or not, and by no other", () => {
    const guest = new Guest();
    guest.xen.domain.sharedInfo.bytes.fill(0xff, 0xa00, 0xc00);
    guest.words(0x3000, 7);
    guest.host.duringPoll = () => {
      guest.xen.delivery.mark(8 as never, vcpuId(1));
      guest.xen.delivery.mark(7 as never, vcpuId(1));
    };
    assert.equal(poll(guest, 0x3000, 1), 0);
    assert.deepEqual(guest.host.taken(), ["pollWait 0 Infinity", "wakePoll 0"]);
    guest.xen.delivery.mark(9 as never, vcpuId(1));
    assert.deepEqual(guest.host.taken(), []);
  });

  it("block sleeps until an event, but not long, and not when one waits", () => {
    const guest = new Guest();
    assert.equal(guest.call(SCHED_OP, 1), 0);
    assert.deepEqual(guest.host.taken(), ["pollWait 0 1010000000"]);
    guest.xen.domain.sharedInfo.bytes[0] = 1;
    assert.equal(guest.call(SCHED_OP, 1), 0);
    assert.deepEqual(guest.host.taken(), []);
  });

  it("watchdogs are two, and bite", () => {
    const guest = new Guest();
    const watchdog = (id: number, seconds: number): number => guest.op(SCHED_OP, 6, id, seconds);
    assert.deepEqual([watchdog(0, 5), watchdog(0, 9), watchdog(0, 9)], [1, 2, -28]);
    assert.deepEqual([watchdog(3, 5), watchdog(2, 0), watchdog(2, 0)], [EINVAL, 0, EINVAL]);
    assert.equal(guest.host.deadlines.get(0), 6e9);
    guest.xen.timers.expire(vcpuId(0), 6e9);
    assert.deepEqual(guest.host.taken(), ["shutdown 0 watchdog"]);
  });

  it("remote_shutdown and pin_override are refused", () => {
    const guest = new Guest();
    assert.deepEqual(
      [1, SELF, 5].map((domid) => guest.op(SCHED_OP, 4, domid, 0)),
      [EPERM, ESRCH, ESRCH],
    );
    assert.equal(guest.op(SCHED_OP, 7, 0), EPERM);
  });
});
