/** [KVM] 4.116: the ring of coalesced writes, filled as KVM does it. */
import assert from "node:assert/strict";
import { CoalescedWrites } from "../../../actors/host/coalesced-writes.js";
import { kvmCoalescedMmio, kvmCoalescedMmioRing, KVM_COALESCED_MMIO_MAX } from "../../../actors/host/kvm-abi.js";
import { Lock } from "../../../shared/lock.js";

const RING_AT = 2 * 4096;

class KernelSide {
  readonly buffer = new SharedArrayBuffer(RING_AT + 4096);
  readonly lockWord = new Int32Array(this.buffer, 0, 1);
  readonly #head = kvmCoalescedMmioRing.view(this.buffer).at(RING_AT);
  readonly #entry = kvmCoalescedMmio.view(this.buffer);

  /** False when the ring is full: the write makes the vCPU leave the guest. */
  write(port: number, len: number, data: number): boolean {
    const { first, last } = this.#head;
    const next = (last + 1) % KVM_COALESCED_MMIO_MAX;
    if (next === first) return false;
    const entry = this.#entry.at(RING_AT + kvmCoalescedMmioRing.size + last * kvmCoalescedMmio.size);
    Object.assign(entry, { physAddr: port, len, pio: 1, data });
    this.#head.last = next;
    return true;
  }

  get waiting(): boolean {
    return this.#head.first !== this.#head.last;
  }
}

describe("CoalescedWrites", () => {
  let kernel: KernelSide;
  let seen: (readonly [port: number, size: number, value: number])[];

  beforeEach(() => {
    kernel = new KernelSide();
    seen = [];
  });

  function writes(sink = (port: number, size: number, value: number): unknown => seen.push([port, size, value])) {
    return new CoalescedWrites(new Lock(kernel.lockWord), kernel.buffer, RING_AT, { write: sink });
  }

  it("carries writes out in their order, each of its own size", () => {
    kernel.write(0x1f2, 1, 0xff12);
    kernel.write(0x1f3, 2, 0xff_3456);
    kernel.write(0xcf8, 4, 0x8000_0800);
    writes().drain();
    assert.deepEqual(seen, [
      [0x1f2, 1, 0x12],
      [0x1f3, 2, 0x3456],
      [0xcf8, 4, 0x8000_0800],
    ]);
    assert.equal(kernel.waiting, false);
  });

  it("does nothing, and takes no lock, when there are none", () => {
    kernel.lockWord[0] = 1;
    writes().drain();
    assert.deepEqual(seen, []);
  });

  it("goes round the ring's end", () => {
    const side = writes();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < KVM_COALESCED_MMIO_MAX - 1; i++) assert.ok(kernel.write(0x1f1, 1, i));
      assert.equal(kernel.write(0x1f1, 1, 0), false);
      side.drain();
    }
    assert.equal(seen.length, 5 * (KVM_COALESCED_MMIO_MAX - 1));
    assert.ok(seen.every(([, , value], i) => value === (i % (KVM_COALESCED_MMIO_MAX - 1)) % 256));
  });

  it("takes a write out only once it has been carried out, so that others wait for it", () => {
    let waiting: boolean | undefined;
    writes(() => (waiting = kernel.waiting)).drain();
    assert.equal(waiting, undefined);
    kernel.write(0x1f1, 1, 1);
    writes(() => (waiting = kernel.waiting)).drain();
    assert.deepEqual([waiting, kernel.waiting], [true, false]);
  });

  it("comes to an end while other vCPUs go on writing", () => {
    kernel.write(0x1f1, 1, 0);
    writes(() => {
      seen.push([0, 0, 0]);
      kernel.write(0x1f1, 1, 0);
    }).drain();
    assert.equal(seen.length, KVM_COALESCED_MMIO_MAX);
    assert.equal(kernel.waiting, true);
  });
});
