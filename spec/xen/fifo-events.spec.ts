/** FIFO event channels: what reaches a guest that takes events as Linux does, whatever the interleaving. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { vcpuId } from "../../shared/brand.js";
import type { EvtchnPort } from "../../shared/brand.js";
import { FakeKernel } from "./fake-host.js";
import {
  ARRAY,
  BIND_IPI,
  bindIpi,
  CONTROL,
  EXPAND_ARRAY,
  expand,
  FifoConsumer,
  fifoGuest,
  INIT_CONTROL,
  initControl,
  LINKED,
  MASKED,
  op,
  PAGE,
  PENDING,
  wordAt,
} from "./fifo-guest.js";
import { Guest } from "./guest.js";

// xen/include/public/event_channel.h, xen.h.
const BIND_VIRQ = 1;
const SEND = 4;
const ALLOC_UNBOUND = 6;
const BIND_VCPU = 8;
const UNMASK = 9;
const RESET = 10;
const SET_PRIORITY = 13;
const SELF = 0x7ff0;
const BUSY = 0x1000_0000;
const ENOENT = -2;
const EINVAL = -22;
const ENOSYS = -38;
const ENOSPC = -28;
const EOPNOTSUPP = -95;

const vcpu0 = vcpuId(0);

describe("FifoEvents", () => {
  it("delivers in the order of sending, and by priority", () => {
    const guest = fifoGuest();
    const [a, b, c] = [bindIpi(guest), bindIpi(guest), bindIpi(guest)];
    assert.equal(op(guest, SET_PRIORITY, c, 0), 0);
    for (const port of [b, a, b, c]) assert.equal(op(guest, SEND, port), 0);
    const consumer = new FifoConsumer(guest, 0);
    consumer.run();
    assert.deepEqual(consumer.taken, [c, b, a]);
  });

  it("tells the vCPU once until it has taken the queue", () => {
    const guest = fifoGuest();
    const { delivery } = guest.xen;
    const ports = [bindIpi(guest), bindIpi(guest)] as EvtchnPort[];
    assert.deepEqual(
      ports.map((port) => delivery.mark(port, vcpu0)),
      [true, false],
    );
    assert.equal(delivery.upcallPending(vcpu0), true);
  });

  it("holds a masked event back until it is unmasked", () => {
    const guest = fifoGuest();
    const port = bindIpi(guest);
    guest.words(wordAt(port), MASKED);
    op(guest, SEND, port);
    const consumer = new FifoConsumer(guest, 0);
    consumer.run();
    assert.deepEqual(consumer.taken, []);
    assert.equal(op(guest, UNMASK, port), 0);
    consumer.run();
    assert.deepEqual(consumer.taken, [port]);
  });

  it("keeps an event for a port whose word is not there yet, and the one that was pending before the switch", () => {
    const guest = new Guest();
    const before = bindIpi(guest);
    guest.xen.domain.sharedInfo.bytes.fill(0xff, 0xa00, 0xc00);
    op(guest, SEND, before);
    assert.equal(initControl(guest, 0), 0);
    const during = bindIpi(guest);
    op(guest, SEND, during);
    assert.equal(expand(guest, 0), 0);
    const consumer = new FifoConsumer(guest, 0);
    consumer.run();
    assert.deepEqual(consumer.taken, [before, during]);
  });

  it("moves a port to another vCPU's queue without breaking the one that it was on", () => {
    const guest = fifoGuest();
    const port = (op(guest, ALLOC_UNBOUND, SELF | (SELF << 16), 0), guest.out(1));
    assert.equal(op(guest, 0, SELF, port, 0), 0);
    const sender = guest.out(2);
    const [first, second] = [new FifoConsumer(guest, 0), new FifoConsumer(guest, 1)];
    first.run();
    first.taken.length = 0;
    op(guest, SEND, sender);
    first.run();
    op(guest, BIND_VCPU, port, 1);
    op(guest, SEND, sender);
    const other = bindIpi(guest);
    op(guest, SEND, other);
    first.run();
    second.run();
    assert.deepEqual([first.taken, second.taken], [[port, other], [port]]);
  });

  it("has 131,071 ports, and gives a closed one back", function () {
    this.timeout(20_000);
    const guest = fifoGuest();
    let last = 0;
    for (let result = 0; result === 0;) {
      result = op(guest, BIND_IPI, 0, 0);
      if (result === 0) last = guest.out(1);
      else assert.equal(result, ENOSPC);
    }
    assert.equal(last, 131_071);
    assert.equal(op(guest, 3, 77), 0);
    assert.equal(bindIpi(guest), 77);
  });

  it("loses no event and delivers none twice, however the guest's steps fall between the sends (model)", () => {
    const action = fc.record({
      port: fc.integer({ min: 0, max: 5 }),
      kind: fc.constantFrom("send", "mask", "unmask", "priority"),
      value: fc.integer({ min: 0, max: 15 }),
    });
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 2 })),
        (actions, gaps) => {
          const guest = fifoGuest();
          const ports = Array.from({ length: 6 }, () => bindIpi(guest));
          const consumer = new FifoConsumer(guest, 0);
          const queue = [...actions];
          const sent = new Map<number, number>();
          const act = (): void => {
            const next = queue.shift();
            if (next === undefined) return;
            const port = ports[next.port] ?? 0;
            if (next.kind === "send") {
              sent.set(port, (sent.get(port) ?? 0) + 1);
              op(guest, SEND, port);
            } else if (next.kind === "mask") Atomics.or(guest.ram.words, wordAt(port) >>> 2, MASKED);
            else if (next.kind === "unmask") op(guest, UNMASK, port);
            else op(guest, SET_PRIORITY, port, next.value);
          };
          while (queue.length > 0) {
            act();
            if (gaps.next().value === 0)
              consumer.run(() => {
                if (gaps.next().value === 0) act();
              });
          }
          for (const port of ports) op(guest, UNMASK, port);
          consumer.run();
          for (const port of ports) {
            const count = consumer.taken.filter((taken) => taken === port).length;
            const most = sent.get(port) ?? 0;
            assert.ok(count <= most && (most === 0 || count > 0), `port ${port}: ${count} of ${most}`);
            assert.equal(guest.word(wordAt(port)) & (PENDING | LINKED), 0);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("survives a guest that scribbles over words, heads and links (E13)", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer()), { maxLength: 40 }), (scribbles) => {
        const guest = fifoGuest();
        const ports = Array.from({ length: 8 }, () => bindIpi(guest));
        for (const [at, value] of scribbles) {
          guest.words(wordAt(at), value >>> 0);
          guest.words(CONTROL * PAGE + (at % 18) * 4, value >>> 0);
          for (const port of ports) assert.equal(op(guest, SEND, port), 0);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("stops waiting for a guest that keeps a tail's word changing", () => {
    const guest = fifoGuest();
    const [a, b] = [bindIpi(guest), bindIpi(guest)];
    op(guest, SEND, a);
    const real = Atomics.compareExchange;
    let tries = 0;
    Atomics.compareExchange = ((words: Int32Array, index: number, old: number, value: number) => {
      if (index === wordAt(a) >>> 2 && tries++ < 1000) words[index] = (words[index] ?? 0) ^ 1;
      return (real as (w: Int32Array, i: number, o: number, v: number) => number)(words, index, old, value);
    }) as typeof Atomics.compareExchange;
    try {
      assert.equal(op(guest, SEND, b), 0);
    } finally {
      Atomics.compareExchange = real;
    }
    assert.ok(tries < 100);
    assert.equal(guest.word(wordAt(a)) & BUSY, 0);
  });

  it("is saved and restored with its queues", () => {
    const guest = fifoGuest();
    const [a, b] = [bindIpi(guest), bindIpi(guest)];
    op(guest, SET_PRIORITY, b, 3);
    op(guest, SEND, a);
    const state = structuredClone(guest.xen.save());
    const other = new Guest();
    other.ram.bytes.set(guest.ram.bytes);
    other.xen.restore(state);
    op(other, SEND, b);
    const consumer = new FifoConsumer(other, 0);
    consumer.run();
    assert.deepEqual(consumer.taken, [b, a]);
  });
});

describe("FIFO operations (E9)", () => {
  it("refuse control blocks that do not fit, vCPUs that are not there, frames without memory, and a second block", () => {
    const guest = new Guest();
    assert.deepEqual(
      [
        initControl(guest, 0, CONTROL, PAGE - 71),
        initControl(guest, 0, CONTROL, 4),
        initControl(guest, 2, CONTROL),
        initControl(guest, 0, 0x1_0000),
        op(guest, INIT_CONTROL, 0, 1, 0, 0, 0, 0),
        op(guest, INIT_CONTROL, 0xffff_ffff, 0xffff_ffff, 0, 0, 0, 0),
      ],
      [EINVAL, EINVAL, ENOENT, EINVAL, EINVAL, EINVAL],
    );
    assert.equal(expand(guest, 0), EOPNOTSUPP);
    assert.equal(initControl(guest, 0, CONTROL, PAGE - 72), 0);
    assert.equal(guest.word(0x1000 + 16) & 0xff, 17);
    assert.equal(initControl(guest, 0, CONTROL), EINVAL);
  });

  it("take 128 pages of words and no more", () => {
    const guest = fifoGuest();
    for (let page = 1; page < 128; page++) assert.equal(op(guest, EXPAND_ARRAY, ARRAY, 0), 0);
    assert.equal(op(guest, EXPAND_ARRAY, ARRAY, 0), ENOSPC);
    assert.equal(op(guest, EXPAND_ARRAY, 0x1_0000, 0), ENOSPC);
  });

  it("know priorities 0 to 15 of ports that exist, once there are FIFO channels", () => {
    const guest = new Guest();
    const port = bindIpi(guest);
    assert.equal(op(guest, SET_PRIORITY, port, 1), ENOSYS);
    initControl(guest, 0);
    assert.deepEqual(
      [
        op(guest, SET_PRIORITY, port, 15),
        op(guest, SET_PRIORITY, port, 16),
        op(guest, SET_PRIORITY, 0, 1),
        op(guest, SET_PRIORITY, 1 << 17, 1),
      ],
      [0, EINVAL, EINVAL, EINVAL],
    );
  });

  it("are not there when the machine does not offer them", () => {
    const guest = new Guest({ fifo: false });
    assert.deepEqual(
      [initControl(guest, 0), expand(guest, 0), op(guest, SET_PRIORITY, 1, 1)],
      [ENOSYS, ENOSYS, ENOSYS],
    );
  });

  it("end with EVTCHNOP_reset: ports above 4095 are gone, the store's stays", () => {
    const guest = fifoGuest();
    let high = 0;
    while (high <= 4096) high = bindIpi(guest);
    assert.equal(op(guest, RESET, SELF), 0);
    assert.equal(op(guest, SEND, high), EINVAL);
    assert.equal(op(guest, SEND, guest.xen.storePort), 0);
    assert.equal(guest.xen.delivery.mark(bindIpi(guest) as EvtchnPort, vcpu0), true);
    assert.notEqual(guest.xen.domain.sharedInfo.view.getUint32(0x800, true), 0);
    assert.equal(initControl(guest, 0), 0);
  });

  it("take delivery away from KVM, whose bitmaps nobody reads then, and give it back", () => {
    const kernel = new FakeKernel();
    const guest = new Guest({ kernel });
    assert.equal(guest.op(12, 7, SELF, 0, 0, 0, 0x30, 0), 0);
    assert.equal(guest.op(34, 0, SELF, 0, 0xf3, 2 << 24), 0);
    const port = bindIpi(guest);
    assert.equal(op(guest, BIND_VIRQ, 0, 0, 0), 0);
    assert.deepEqual(kernel.routes.get(port), { kind: "port", vcpu: 0 });
    assert.notEqual(guest.xen.kernelTimerPort(vcpu0), 0);
    initControl(guest, 0);
    assert.deepEqual(
      [kernel.delivers, kernel.routes.get(port), guest.xen.kernelTimerPort(vcpu0)],
      [false, undefined, 0],
    );
    assert.equal(kernel.routes.get(guest.xen.storePort)?.kind, "backend");
    guest.xen.reset();
    assert.equal(kernel.delivers, true);
  });
});
