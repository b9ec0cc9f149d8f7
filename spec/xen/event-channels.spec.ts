/** event_channel_op: Xen's answers, operation by operation. E-numbers are those of the list of hostile inputs. */
import assert from "node:assert/strict";
import { domId, vcpuId } from "../../shared/brand.js";
import type { EvtchnPort } from "../../shared/brand.js";
import { listPorts } from "../../xen/port-list.js";
import { Guest } from "./guest.js";

// xen/include/public/xen.h and event_channel.h.
const EVENT_CHANNEL_OP = 32;
const [BIND_INTERDOMAIN, BIND_VIRQ, BIND_PIRQ, CLOSE, SEND, STATUS, ALLOC_UNBOUND] = [0, 1, 2, 3, 4, 5, 6];
const [BIND_IPI, BIND_VCPU, UNMASK, RESET] = [7, 8, 9, 10];
const SELF = 0x7ff0;
// xen/include/public/errno.h.
const [ENOENT, ESRCH, EPERM, EEXIST, EINVAL, ENOSPC, EFAULT] = [-2, -3, -1, -17, -22, -28, -14];
// shared_info of a 64-bit guest.
const PENDING = 0x800;
const MASK = 0xa00;

function op(guest: Guest, command: number, ...words: readonly number[]): number {
  return guest.op(EVENT_CHANNEL_OP, command, ...words);
}

/** dom and remote_dom share a word. */
function allocUnbound(guest: Guest, remote: number, dom = SELF): number {
  const result = op(guest, ALLOC_UNBOUND, dom | (remote << 16), 0);
  return result < 0 ? result : guest.out(1);
}

function pending(guest: Guest, port: number): boolean {
  return ((guest.xen.domain.sharedInfo.bytes[PENDING + (port >>> 3)] ?? 0) & (1 << (port & 7))) !== 0;
}

describe("event_channel_op", () => {
  let guest: Guest;
  beforeEach(() => {
    guest = new Guest();
  });

  it("starts with the store's and the console's port", () => {
    const rows = listPorts(guest.xen.events, guest.xen.delivery);
    assert.deepEqual(
      rows.map(({ port, kind, remoteDomain, target }) => [port, kind, remoteDomain, target]),
      [
        [1, "interdomain", 0, 1],
        [2, "interdomain", 0, 2],
      ],
    );
    assert.deepEqual([guest.xen.storePort, guest.xen.consolePort], [1, 2]);
  });

  describe("alloc_unbound", () => {
    it("gives the lowest free port", () => {
      assert.deepEqual([allocUnbound(guest, 0), allocUnbound(guest, SELF)], [3, 4]);
    });

    it("is for this domain only (EPERM, ESRCH), and lets it name itself and the back end (EPERM)", () => {
      assert.equal(allocUnbound(guest, 0, 0), EPERM);
      assert.equal(allocUnbound(guest, 0, 7), ESRCH);
      assert.equal(allocUnbound(guest, 0, 1), 3);
      assert.equal(allocUnbound(guest, 7), EPERM);
      assert.equal(allocUnbound(guest, 1), 4);
    });

    it("E2: runs out with ENOSPC, and goes on once ports are closed", () => {
      let last = 0;
      for (let port = allocUnbound(guest, 0); port > 0; port = allocUnbound(guest, 0)) last = port;
      assert.equal(last, 4095);
      assert.equal(allocUnbound(guest, 0), ENOSPC);
      for (let port = 3; port <= last; port++) assert.equal(op(guest, CLOSE, port), 0);
      assert.equal(allocUnbound(guest, 0), 3);
    });

    it("answers EFAULT, and takes no port, where the argument cannot be read", () => {
      assert.equal(guest.call(EVENT_CHANNEL_OP, ALLOC_UNBOUND, 0xf000_0000), EFAULT);
      assert.equal(allocUnbound(guest, 0), 3);
    });
  });

  describe("E1: a port out of range is EINVAL", () => {
    for (const port of [0, 4096, 0x8000_0000, 0xffff_ffff]) {
      it(`port ${port}`, () => {
        assert.equal(op(guest, CLOSE, port), EINVAL);
        assert.equal(op(guest, SEND, port), EINVAL);
        assert.equal(op(guest, UNMASK, port), EINVAL);
        assert.equal(op(guest, STATUS, SELF, port), EINVAL);
        assert.equal(op(guest, BIND_VCPU, port, 0), EINVAL);
        assert.equal(op(guest, BIND_INTERDOMAIN, 0, port, 0), EINVAL);
      });
    }

    it("port 1024 of a 32-bit guest", () => {
      guest.frame.longMode = false;
      guest.xen.latchLongMode(false);
      assert.equal(op(guest, SEND, 1024), EINVAL);
      assert.equal(op(guest, UNMASK, 1023), 0);
    });
  });

  describe("send", () => {
    it("E3: is EINVAL on closed and VIRQ ports, silent on unbound ones", () => {
      assert.equal(op(guest, BIND_VIRQ, 0, 0, 0), 0);
      assert.equal(op(guest, SEND, guest.out(2)), EINVAL);
      assert.equal(op(guest, SEND, 99), EINVAL);
      assert.equal(op(guest, SEND, allocUnbound(guest, 0)), 0);
    });

    it("E3: raises an IPI port itself, on its vCPU", () => {
      op(guest, BIND_IPI, 1, 0);
      const port = guest.out(1);
      assert.equal(op(guest, SEND, port), 0);
      assert.equal(pending(guest, port), true);
      assert.equal(guest.xen.delivery.upcallPending(vcpuId(1)), true);
      assert.equal(guest.xen.delivery.upcallPending(vcpuId(0)), false);
    });

    it("reaches the back end's thread", () => {
      const port = allocUnbound(guest, 0) as EvtchnPort;
      assert.equal(guest.xen.events.bindBackend(port, 5), true);
      guest.host.taken();
      assert.equal(op(guest, SEND, port), 0);
      assert.deepEqual(guest.host.taken(), [`signalBackend ${port} 5`]);
    });
  });

  describe("bind_interdomain", () => {
    it("joins two ports of the domain, and raises the new one to be sure", () => {
      const first = allocUnbound(guest, SELF);
      assert.equal(op(guest, BIND_INTERDOMAIN, SELF, first, 0), 0);
      const second = guest.out(2);
      assert.equal(pending(guest, second), true);
      assert.equal(op(guest, SEND, second), 0);
      assert.equal(pending(guest, first), true);
      assert.equal(op(guest, STATUS, SELF, first, 0, 0, 0, 0), 0);
      assert.deepEqual([guest.out(2), guest.out(4), guest.out(5)], [2, 1, second]);
    });

    it("E6: knows no other domain (ESRCH) and binds to nothing but unbound ports (EINVAL)", () => {
      op(guest, BIND_IPI, 0, 0);
      const ipi = guest.out(1);
      assert.equal(op(guest, BIND_INTERDOMAIN, 5, 1, 0), ESRCH);
      assert.equal(op(guest, BIND_INTERDOMAIN, SELF, ipi, 0), EINVAL);
      assert.equal(op(guest, BIND_INTERDOMAIN, SELF, 77, 0), EINVAL);
      // The port that would be allocated is not one to bind to.
      assert.equal(op(guest, BIND_INTERDOMAIN, SELF, ipi + 1, 0), EINVAL);
      assert.equal(op(guest, BIND_INTERDOMAIN, 0, 1, 0), EINVAL);
      assert.equal(op(guest, BIND_INTERDOMAIN, SELF, allocUnbound(guest, 0), 0), EINVAL);
    });

    it("leaves the other end unbound when one is closed", () => {
      const first = allocUnbound(guest, SELF);
      op(guest, BIND_INTERDOMAIN, SELF, first, 0);
      assert.equal(op(guest, CLOSE, guest.out(2)), 0);
      op(guest, STATUS, SELF, first, 0, 0, 0, 0);
      assert.deepEqual([guest.out(2), guest.out(4)], [1, 1]);
    });
  });

  describe("bind_virq (E4)", () => {
    const cases: readonly (readonly [name: string, virq: number, vcpu: number, result: number])[] = [
      ["a VIRQ that does not exist", 24, 0, EINVAL],
      ["a global VIRQ elsewhere than on vCPU 0", 2, 1, EINVAL],
      ["a vCPU that does not exist", 0, 2, ENOENT],
      ["a per-vCPU VIRQ on any vCPU", 1, 1, 0],
      ["a global VIRQ on vCPU 0", 3, 0, 0],
    ];
    for (const [name, virq, vcpu, result] of cases) {
      it(`answers ${result} to ${name}`, () => {
        assert.equal(op(guest, BIND_VIRQ, virq, vcpu, 0), result);
      });
    }

    it("binds once (EEXIST), and again after a close", () => {
      assert.equal(op(guest, BIND_VIRQ, 0, 1, 0), 0);
      const port = guest.out(2);
      assert.equal(op(guest, BIND_VIRQ, 0, 1, 0), EEXIST);
      assert.equal(op(guest, BIND_VIRQ, 0, 0, 0), 0);
      assert.equal(op(guest, CLOSE, port), 0);
      assert.equal(op(guest, BIND_VIRQ, 0, 1, 0), 0);
    });

    it("gets what is raised, and no more once closed", () => {
      op(guest, BIND_VIRQ, 0, 1, 0);
      const port = guest.out(2);
      guest.xen.events.raiseVirq(vcpuId(1), 0);
      assert.equal(pending(guest, port), true);
      op(guest, CLOSE, port);
      assert.equal(pending(guest, port), false);
      guest.xen.events.raiseVirq(vcpuId(1), 0);
      assert.equal(pending(guest, port), false);
    });
  });

  it("E5: bind_ipi wants a vCPU that exists", () => {
    assert.equal(op(guest, BIND_IPI, 2, 0), ENOENT);
    assert.equal(op(guest, BIND_IPI, 0xffff_ffff, 0), ENOENT);
  });

  describe("bind_vcpu (E7)", () => {
    it("is EINVAL on IPI and per-vCPU VIRQ ports", () => {
      op(guest, BIND_IPI, 0, 0);
      assert.equal(op(guest, BIND_VCPU, guest.out(1), 1), EINVAL);
      op(guest, BIND_VIRQ, 0, 0, 0);
      assert.equal(op(guest, BIND_VCPU, guest.out(2), 1), EINVAL);
      assert.equal(op(guest, BIND_VCPU, 55, 1), EINVAL);
    });

    it("is ENOENT for a vCPU that does not exist", () => {
      assert.equal(op(guest, BIND_VCPU, 1, 2), ENOENT);
    });

    it("moves a port, and an event that waits with it", () => {
      guest.xen.events.notifyGuest(guest.xen.storePort);
      assert.equal(op(guest, BIND_VCPU, 1, 1), 0);
      assert.equal(guest.xen.delivery.upcallPending(vcpuId(1)), true);
      op(guest, STATUS, SELF, 1, 0, 0, 0, 0);
      assert.equal(guest.out(3), 1);
    });

    it("moves global VIRQs", () => {
      op(guest, BIND_VIRQ, 3, 0, 0);
      const port = guest.out(2);
      assert.equal(op(guest, BIND_VCPU, port, 1), 0);
      guest.xen.events.raiseVirq(vcpuId(0), 3);
      assert.equal(guest.xen.delivery.upcallPending(vcpuId(1)), true);
    });
  });

  describe("bind_pirq", () => {
    it("is EINVAL out of range and EEXIST twice", () => {
      assert.equal(op(guest, BIND_PIRQ, 256, 0, 0), EINVAL);
      assert.equal(op(guest, BIND_PIRQ, 0xffff_ffff, 0, 0), EINVAL);
      assert.equal(op(guest, BIND_PIRQ, 17, 0, 0), 0);
      assert.equal(op(guest, BIND_PIRQ, 17, 0, 0), EEXIST);
    });
  });

  describe("unmask (E8)", () => {
    it("delivers an event that waited behind the mask", () => {
      const shared = guest.xen.domain.sharedInfo.bytes;
      shared[MASK] = 1 << 1;
      guest.xen.events.notifyGuest(guest.xen.storePort);
      assert.equal(guest.xen.delivery.upcallPending(vcpuId(0)), false);
      assert.equal(op(guest, UNMASK, 1), 0);
      assert.equal(shared[MASK], 0);
      assert.equal(guest.xen.delivery.upcallPending(vcpuId(0)), true);
    });

    it("does nothing for a port that was not masked", () => {
      guest.xen.domain.sharedInfo.bytes[PENDING] = 1 << 1;
      assert.equal(op(guest, UNMASK, 1), 0);
      assert.equal(guest.xen.delivery.upcallPending(vcpuId(0)), false);
    });
  });

  describe("close", () => {
    it("is EINVAL the second time", () => {
      const port = allocUnbound(guest, 0);
      assert.equal(op(guest, CLOSE, port), 0);
      assert.equal(op(guest, CLOSE, port), EINVAL);
    });

    it("E11: of the store's port lets the guest bind to its remote end again", () => {
      op(guest, STATUS, SELF, 1, 0, 0, 0, 0);
      const remote = guest.out(5);
      assert.equal(op(guest, CLOSE, 1), 0);
      op(guest, STATUS, SELF, 1, 0, 0, 0, 0);
      assert.equal(guest.out(2), 0);
      guest.xen.events.notifyGuest(guest.xen.storePort);
      assert.equal(pending(guest, 1), false);
      assert.equal(allocUnbound(guest, 0), 3);
      assert.equal(op(guest, BIND_INTERDOMAIN, 0, remote, 0), 0);
      assert.equal(guest.out(2), 1);
      guest.host.taken();
      assert.equal(op(guest, SEND, 1), 0);
      assert.deepEqual(guest.host.taken(), ["signalBackend 1 0"]);
    });

    it("keeps the number for the back end until it lets go", () => {
      const port = allocUnbound(guest, 0) as EvtchnPort;
      guest.xen.events.bindBackend(port, 1);
      op(guest, CLOSE, port);
      assert.notEqual(allocUnbound(guest, 0), port);
      guest.xen.events.unbindBackend(port);
      assert.equal(allocUnbound(guest, 0), port);
    });
  });

  describe("reset (E10)", () => {
    it("closes everything but the store's and the console's port", () => {
      const port = allocUnbound(guest, 0);
      op(guest, BIND_IPI, 1, 0);
      assert.equal(op(guest, RESET, SELF), 0);
      assert.equal(op(guest, SEND, port), EINVAL);
      assert.deepEqual(
        listPorts(guest.xen.events, guest.xen.delivery).map((row) => row.port),
        [1, 2],
      );
    });

    it("is not for the back ends' domain, and knows no other", () => {
      assert.equal(op(guest, RESET, 0), EPERM);
      assert.equal(op(guest, STATUS, 3, 1), ESRCH);
    });
  });

  describe("back ends", () => {
    it("bind only to ports that the guest allocated for them", () => {
      const own = allocUnbound(guest, SELF) as EvtchnPort;
      const ours = allocUnbound(guest, 0) as EvtchnPort;
      const { events } = guest.xen;
      assert.equal(events.bindBackend(own, 1), false);
      assert.equal(events.bindBackend(0 as EvtchnPort, 1), false);
      assert.equal(events.bindBackend(5000 as EvtchnPort, 1), false);
      assert.equal(events.bindBackend(ours, 1), true);
      assert.equal(events.bindBackend(ours, 1), false);
    });

    it("leave the port unbound for the next one", () => {
      const port = allocUnbound(guest, 0) as EvtchnPort;
      const { events } = guest.xen;
      events.bindBackend(port, 1);
      events.unbindBackend(port);
      op(guest, STATUS, SELF, port, 0, 0, 0, 0);
      assert.deepEqual([guest.out(2), guest.out(4)], [1, 0]);
      assert.equal(events.bindBackend(port, 2), true);
    });

    it("are one for all threads", () => {
      const twin = guest.twin();
      const port = allocUnbound(guest, 0) as EvtchnPort;
      assert.equal(twin.events.bindBackend(port, 3), true);
      twin.events.notifyGuest(port);
      assert.equal(pending(guest, port), true);
    });
  });

  it("keeps its ports over save and restore", () => {
    const port = allocUnbound(guest, 0);
    op(guest, BIND_VIRQ, 0, 1, 0);
    const before = listPorts(guest.xen.events, guest.xen.delivery);
    const other = new Guest();
    other.xen.restore(structuredClone(guest.xen.save()));
    assert.deepEqual(listPorts(other.xen.events, other.xen.delivery), before);
    assert.equal(op(other, CLOSE, port), 0);
    assert.equal(guest.config.domid, domId(1));
  });
});
