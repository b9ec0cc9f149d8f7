/** From a port to the vCPU: bitmaps of both layouts, and the ways to tell a guest. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { vcpuId } from "../../shared/brand.js";
import type { EvtchnPort, Vector } from "../../shared/brand.js";
import { bytesKept } from "../support/heap.js";
import { FakeKernel } from "./fake-host.js";
import { bindIpi, fifoGuest } from "./fifo-guest.js";
import { ARGUMENT, Guest } from "./guest.js";

// xen/include/public: xen.h, hvm/hvm_op.h, hvm/params.h, vcpu.h.
const HVM_OP = 34;
const VCPU_OP = 24;
const SET_PARAM = 0;
const SET_UPCALL_VECTOR = 23;
const REGISTER_VCPU_INFO = 10;
const MEMORY_OP = 12;
const EVENT_CHANNEL_OP = 32;
const SEND = 4;
const ADD_TO_PHYSMAP = 7;
const SELF = 0x7ff0;
const CALLBACK_IRQ = 0;
const VECTOR = 2 << 24;
const PCI_INTX = 1 << 24;
const [ENOENT, EINVAL] = [-2, -22];
/** VcpuRequest.upcall and syncXen. */
const UPCALL = 2;
const SYNC = 1;
/** Bytes that may stay of what was done without end, for each time: less than any object has. */
const NOTHING_KEPT = 4;

const vcpu0 = vcpuId(0);
const vcpu1 = vcpuId(1);

function setCallback(guest: Guest, high: number, low: number): number {
  return guest.op(HVM_OP, SET_PARAM, SELF, CALLBACK_IRQ, low, high);
}

function port(n: number): EvtchnPort {
  return n as EvtchnPort;
}

describe("EventDelivery bitmaps", () => {
  for (const [bits, longMode, selector, shift, mask, limit] of [
    [64, true, 8, 6, 0xa00, 4096],
    [32, false, 4, 5, 0x880, 1024],
  ] as const) {
    it(`sets pending, selector and upcall of a ${bits}-bit guest for any port`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: limit - 1 }), (n) => {
          const { domain, delivery } = new Guest().xen;
          domain.longMode = longMode;
          const told = delivery.mark(port(n), vcpu1);
          const shared = domain.sharedInfo.bytes;
          const at = 64 + selector + ((n >>> shift) >>> 3);
          assert.equal(told, true);
          assert.equal((shared[0x800 + (n >>> 3)] ?? 0) & (1 << (n & 7)), 1 << (n & 7));
          assert.equal(shared[at], 1 << ((n >>> shift) & 7));
          assert.equal(shared[64], 1);
          assert.equal(
            shared.subarray(0, 64).some((byte) => byte !== 0),
            false,
          );
        }),
        { numRuns: 50 },
      );
    });

    it(`tells nobody of a masked port of a ${bits}-bit guest`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: limit - 1 }), (n) => {
          const { domain, delivery } = new Guest().xen;
          domain.longMode = longMode;
          domain.sharedInfo.bytes[mask + (n >>> 3)] = 1 << (n & 7);
          assert.equal(delivery.mark(port(n), vcpu0), false);
          assert.equal(delivery.pending(port(n)), true);
          assert.equal(delivery.upcallPending(vcpu0), false);
          assert.equal(delivery.clearMask(port(n)), true);
          assert.equal(delivery.markIfPending(port(n), vcpu0), true);
        }),
        { numRuns: 50 },
      );
    });
  }

  it("tells once however many ports become pending (E12)", () => {
    const { delivery } = new Guest().xen;
    assert.deepEqual(
      [3, 3, 4, 700].map((n) => delivery.mark(port(n), vcpu0)),
      [true, false, false, false],
    );
  });

  for (const [channels, guest] of [
    ["2-level", new Guest()],
    ["FIFO", fifoGuest()],
  ] as const) {
    it(`tells once of 100,000 events on two ${channels} ports that are not taken, and keeps nothing of them (E12)`, () => {
      setCallback(guest, VECTOR, 0xf3);
      const ports = [bindIpi(guest, 1), bindIpi(guest, 1)];
      guest.host.taken();
      const kept = bytesKept(50_000, () => {
        for (const one of ports) assert.equal(guest.op(EVENT_CHANNEL_OP, SEND, one), 0);
      });
      assert(kept < NOTHING_KEPT, `${kept} bytes each`);
      assert.deepEqual(guest.host.taken(), [`request 1 ${UPCALL}`]);
      assert.deepEqual(guest.host.records, []);
    });
  }

  it("loses nothing against a guest that takes events in between (model)", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 200 })), { maxLength: 60 }), (steps) => {
        const { domain, delivery } = new Guest().xen;
        const raised = new Set<number>();
        const taken = new Set<number>();
        let called = false;
        for (const [take, n] of [...steps, [true, 1] as const]) {
          if (!take) {
            raised.add(n);
            called = delivery.mark(port(n), vcpu0) || called;
          } else if (called) {
            called = false;
            for (const event of takeAll(domain.sharedInfo.view)) taken.add(event);
          }
        }
        assert.deepEqual([...taken].sort(), [...raised].sort());
      }),
    );
  });

  it("E13: survives a guest that scribbles over its words", () => {
    const guest = new Guest();
    guest.xen.domain.sharedInfo.bytes.fill(0xff);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    guest.xen.domain.sharedInfo.bytes.fill(0);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    assert.equal(guest.xen.delivery.upcallPending(vcpu0), true);
  });
});

/** A 64-bit guest's upcall handler: clears upcall_pending, then takes every selected pending bit. */
function takeAll(view: DataView): readonly number[] {
  const events: number[] = [];
  view.setUint8(0, 0);
  for (let word = 0; word < 64; word++) {
    for (let bit = 0; bit < 64; bit++) {
      const at = 0x800 + word * 8 + (bit >>> 3);
      const selected = (view.getUint8(8 + (word >>> 3)) & (1 << (word & 7))) !== 0;
      if (!selected || (view.getUint8(at) & (1 << (bit & 7))) === 0) continue;
      view.setUint8(at, view.getUint8(at) & ~(1 << (bit & 7)));
      events.push(word * 64 + bit);
    }
  }
  for (let i = 0; i < 8; i++) view.setUint8(8 + i, 0);
  return events;
}

describe("HVM_PARAM_CALLBACK_IRQ", () => {
  let guest: Guest;
  beforeEach(() => {
    guest = new Guest();
  });

  it("as a vector asks the vCPU's thread, which injects it until the guest has looked", () => {
    assert.equal(setCallback(guest, VECTOR, 0xf3), 0);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    assert.deepEqual(guest.host.taken(), [`request 0 ${UPCALL}`]);
    assert.equal(guest.xen.delivery.upcallVector(vcpu0), 0xf3);
    guest.xen.domain.sharedInfo.bytes[0] = 0;
    assert.equal(guest.xen.delivery.upcallVector(vcpu0), 0);
  });

  it("as a GSI raises the line, and lowers it when vCPU 0 has looked", () => {
    assert.equal(setCallback(guest, 0, 9), 0);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    guest.xen.delivery.callbackLineCheck();
    assert.deepEqual(guest.host.taken(), ["setCallbackGsi 9 1"]);
    assert.equal(guest.xen.delivery.callbackAsserted(), true);
    guest.xen.domain.sharedInfo.bytes[0] = 0;
    guest.xen.delivery.callbackLineCheck();
    assert.deepEqual(guest.host.taken(), ["setCallbackGsi 9 0"]);
    assert.equal(guest.xen.delivery.callbackAsserted(), false);
  });

  it("as PCI INTx follows the line's routing", () => {
    setCallback(guest, PCI_INTX, (2 << 11) | 0);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    guest.host.intxGsi = 10;
    guest.xen.delivery.callbackLineCheck();
    assert.deepEqual(guest.host.taken(), ["setCallbackGsi 11 1", "setCallbackGsi 11 0", "setCallbackGsi 10 1"]);
  });

  it("as PCI INTx that is not routed stays silent", () => {
    guest.host.intxGsi = undefined;
    setCallback(guest, PCI_INTX, 2 << 11);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    assert.deepEqual(guest.host.taken(), []);
  });

  it("reaches vCPU 0 alone by a line", () => {
    setCallback(guest, 0, 9);
    guest.xen.delivery.mark(port(5), vcpu1);
    guest.xen.delivery.upcall(vcpu1);
    assert.deepEqual(guest.host.taken(), []);
  });

  it("H12: of an unknown type switches the callback off", () => {
    for (const type of [3, 4, 0x80, 0xff]) assert.equal(setCallback(guest, type << 24, 0x20), 0);
    assert.equal(setCallback(guest, 0, 200), 0);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    assert.deepEqual(guest.host.taken(), []);
  });

  it("E15: switched while an event waits tells of it the new way", () => {
    setCallback(guest, 0, 9);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    setCallback(guest, VECTOR, 0xf3);
    assert.deepEqual(guest.host.taken(), ["setCallbackGsi 9 1", "setCallbackGsi 9 0", `request 0 ${UPCALL}`]);
  });
});

describe("HVMOP_set_evtchn_upcall_vector", () => {
  it("goes before the global callback", () => {
    const guest = new Guest();
    setCallback(guest, VECTOR, 0xf3);
    assert.equal(guest.op(HVM_OP, SET_UPCALL_VECTOR, 0, 0x40), 0);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    assert.deepEqual(guest.host.taken(), ["injectVector 0 0x40"]);
    assert.equal(guest.xen.delivery.upcallVector(vcpu0), 0);
  });

  it("is tried again when the local APIC was off, as long as the event waits", () => {
    const guest = new Guest();
    assert.equal(guest.op(HVM_OP, SET_UPCALL_VECTOR, 0, 0x40), 0);
    guest.host.lapicsOff.add(0);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    assert.deepEqual(guest.host.taken(), ["injectVector 0 0x40", `request 0 ${UPCALL}`]);
    assert.equal(guest.xen.delivery.upcallByOwnVector(vcpu0), false);
    guest.host.lapicsOff.delete(0);
    assert.equal(guest.xen.delivery.upcallByOwnVector(vcpu0), true);
    assert.deepEqual(guest.host.taken(), ["injectVector 0 0x40", "injectVector 0 0x40"]);
    guest.xen.domain.sharedInfo.bytes[0] = 0;
    assert.equal(guest.xen.delivery.upcallByOwnVector(vcpu0), true);
    assert.deepEqual(guest.host.taken(), []);
  });

  it("H13: refuses vectors below 0x10 and vCPUs that do not exist", () => {
    const guest = new Guest();
    assert.equal(guest.op(HVM_OP, SET_UPCALL_VECTOR, 0, 0x0f), EINVAL);
    assert.equal(guest.op(HVM_OP, SET_UPCALL_VECTOR, 2, 0x40), ENOENT);
  });
});

describe("VCPUOP_register_vcpu_info", () => {
  it("moves the contents and marks everything, so that no event on its way is lost (E14)", () => {
    const guest = new Guest();
    setCallback(guest, VECTOR, 0xf3);
    guest.xen.domain.sharedInfo.bytes[64 + 32] = 77;
    guest.host.taken();
    guest.words(ARGUMENT, 0x20, 0, 0x140, 0);
    assert.equal(guest.call(VCPU_OP, REGISTER_VCPU_INFO, 1, ARGUMENT), 0);
    assert.equal(guest.ram.bytes[0x2_0140 + 32], 77);
    assert.deepEqual([guest.word(0x2_0148), guest.word(0x2_014c)], [0xffff_ffff, 0xffff_ffff]);
    assert.deepEqual(guest.host.taken(), [`request 1 ${UPCALL}`]);
    assert.equal(guest.xen.vcpuInfoGpa(vcpu1), 0x2_0140);
  });

  it("is where events go from then on, in every thread", () => {
    const guest = new Guest();
    const twin = guest.twin();
    guest.words(ARGUMENT, 0x20, 0, 0, 0);
    guest.call(VCPU_OP, REGISTER_VCPU_INFO, 0, ARGUMENT);
    guest.ram.bytes.fill(0, 0x2_0000, 0x2_0040);
    twin.delivery.mark(port(3), vcpu0);
    assert.deepEqual([guest.ram.bytes[0x2_0000], guest.ram.bytes[0x2_0008]], [1, 1]);
  });

  const refused: readonly (readonly [string, number, number])[] = [
    ["that reaches over its page", 0x20, 4096 - 56],
    ["that is not aligned", 0x20, 2],
    ["outside memory", 0x10_0000, 0],
    ["at a frame beyond all", 0xffff_ffff, 0],
    ["at an offset of 4 GiB", 0x20, 0xffff_ffc0],
  ];
  for (const [name, frame, offset] of refused) {
    it(`H14: refuses a place ${name}`, () => {
      const guest = new Guest();
      guest.words(ARGUMENT, frame, 0, offset, 0);
      assert.equal(guest.call(VCPU_OP, REGISTER_VCPU_INFO, 0, ARGUMENT), EINVAL);
    });
  }

  it("H14: refuses a second time", () => {
    const guest = new Guest();
    guest.words(ARGUMENT, 0x20, 0, 0, 0);
    guest.call(VCPU_OP, REGISTER_VCPU_INFO, 0, ARGUMENT);
    assert.equal(guest.call(VCPU_OP, REGISTER_VCPU_INFO, 0, ARGUMENT), EINVAL);
  });
});

describe("EventDelivery on the kernel transport", () => {
  function kernelGuest(has = {}): { guest: Guest; kernel: FakeKernel } {
    const kernel = new FakeKernel(has);
    const guest = new Guest({ kernel });
    guest.words(ARGUMENT, SELF, 0, 0, 0, 0x30, 0);
    guest.call(MEMORY_OP, ADD_TO_PHYSMAP, ARGUMENT);
    return { guest, kernel };
  }

  it("leaves events to KVM once there is a vector", () => {
    const { guest, kernel } = kernelGuest();
    setCallback(guest, VECTOR, 0xf3);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    assert.deepEqual(kernel.calls, ["send 1 0"]);
    assert.equal(kernel.vector, 0xf3);
    assert.equal(kernel.sharedInfo, 0x30);
  });

  it("tells the new vCPU of an event that KVM was told of for the one that its port was bound to before", () => {
    const { guest, kernel } = kernelGuest();
    setCallback(guest, VECTOR, 0xf3);
    const { storePort, events, delivery, domain } = guest.xen;
    kernel.beforeSend = () => {
      assert.equal(events.bindVcpu(storePort, vcpu1), 0);
      assert.equal(delivery.upcallPending(vcpu1), false);
      // As KVM does, for the vCPU that it was given
      const { words } = domain.sharedInfo;
      Atomics.or(words, domain.layout.pending >>> 2, 1 << storePort);
    };
    events.notifyGuest(storePort);
    assert.deepEqual(kernel.calls, [`send ${storePort} 0`]);
    assert.equal(delivery.upcallPending(vcpu1), true);
    kernel.beforeSend = () => undefined;
    events.notifyGuest(storePort);
    assert.deepEqual(kernel.calls.at(-1), `send ${storePort} 1`);
  });

  it("raises any port in use for a person, and no other", () => {
    const { guest, kernel } = kernelGuest();
    setCallback(guest, VECTOR, 0xf3);
    guest.op(32, 7, 1, 0);
    const ipi = guest.out(1);
    guest.op(32, 6, 0x7ff0, 0);
    const unbound = guest.out(1);
    const { events, storePort } = guest.xen;
    const answers = [ipi, storePort, unbound, unbound + 1, 0, -1, 4096, 2 ** 40].map((port) => events.inject(port));
    assert.deepEqual(answers, [true, true, false, false, false, false, false, false]);
    assert.deepEqual(kernel.calls, [`send ${ipi} 1`, `send ${storePort} 0`]);
  });

  it("keeps them from KVM while the callback is a line", () => {
    const { guest, kernel } = kernelGuest();
    setCallback(guest, 0, 9);
    guest.xen.events.notifyGuest(guest.xen.storePort);
    assert.deepEqual(kernel.calls, ["wakePolls"]);
    assert.equal(guest.xen.delivery.upcallPending(vcpu0), true);
  });

  it("offloads IPIs and back ends' ports, and takes IPIs back when the vector goes", () => {
    const { guest, kernel } = kernelGuest();
    guest.op(32, 7, 1, 0);
    const ipi = guest.out(1);
    assert.equal(kernel.routes.get(ipi), undefined);
    setCallback(guest, VECTOR, 0xf3);
    assert.deepEqual(kernel.routes.get(ipi), { kind: "port", vcpu: 1 });
    assert.deepEqual(kernel.routes.get(guest.xen.storePort), { kind: "backend", owner: 0 });
    setCallback(guest, 0, 9);
    assert.equal(kernel.routes.get(ipi), undefined);
    guest.op(32, 3, guest.xen.storePort);
    assert.equal(kernel.routes.size, 1);
  });

  it("tells KVM of the timer's port only while KVM may raise it", () => {
    const { guest } = kernelGuest();
    guest.op(32, 1, 0, 0, 0);
    const timer = guest.out(2);
    assert.equal(guest.xen.kernelTimerPort(vcpu0), 0);
    setCallback(guest, VECTOR, 0xf3);
    assert.equal(guest.xen.kernelTimerPort(vcpu0), timer);
  });

  it("asks each vCPU's thread to push what changed", () => {
    const { guest } = kernelGuest();
    guest.host.taken();
    guest.xen.delivery.setUpcallVector(vcpu1, 0x41 as Vector);
    assert.deepEqual(guest.host.taken(), [`request 1 ${SYNC}`]);
  });

  it("ends polls inside KVM when it has set a pending bit itself, without a vector to deliver by", () => {
    const { guest, kernel } = kernelGuest();
    guest.op(32, 7, 1, 0);
    const ipi = guest.out(1);
    kernel.calls.length = 0;
    guest.op(32, 4, ipi);
    assert.deepEqual(kernel.calls, ["wakePolls"]);
    // It is pending already: whoever polls has seen it.
    guest.op(32, 4, ipi);
    assert.deepEqual(kernel.calls, ["wakePolls"]);
  });

  it("delivers by bitmap and a word to the vCPU's thread where KVM sends no events", () => {
    const { guest, kernel } = kernelGuest({ sendsEvents: false });
    setCallback(guest, VECTOR, 0xf3);
    guest.op(32, 7, 1, 0);
    const ipi = guest.out(1);
    guest.host.taken();
    guest.op(32, 4, ipi);
    assert.deepEqual([kernel.calls, kernel.routes.size], [[], 0]);
    assert.equal(guest.xen.delivery.upcallPending(vcpu1), true);
    assert.deepEqual(guest.host.taken(), [`request 1 ${UPCALL}`]);
    // The vector's number is KVM's to know: it injects it by itself.
    assert.equal(kernel.vector, 0xf3);
  });

  it("has nothing to tell a KVM that finds shared_info by itself, wherever the guest moves it", () => {
    const { guest, kernel } = kernelGuest({ findsSharedInfo: true });
    assert.equal(kernel.sharedInfo, "page");
    kernel.sharedInfo = undefined;
    guest.words(ARGUMENT, SELF, 0, 0, 0, 0x31, 0);
    guest.call(MEMORY_OP, ADD_TO_PHYSMAP, ARGUMENT);
    assert.equal(kernel.sharedInfo, undefined);
    guest.xen.reset();
    assert.equal(kernel.sharedInfo, "page");
  });

  it("forgets at a reset that the guest wanted its runstate marked", () => {
    const { guest, kernel } = kernelGuest();
    // vm_assist, enable, VMASST_TYPE_runstate_update_flag
    assert.equal(guest.call(21, 0, 5), 0);
    assert.equal(kernel.marksUpdates, true);
    guest.xen.reset();
    assert.equal(kernel.marksUpdates, false);
  });
});
