import assert from "node:assert/strict";
import fc from "fast-check";
import { openLibc } from "../../actors/host/libc.js";
import { allocateRam, controlLayout, ramAt, ramHva, scratchOf, ThreadSlot } from "../../actors/machine-memory.js";
import type { MachineMemory } from "../../actors/machine-memory.js";
import { MemorySlot } from "../../actors/memory-slots.js";
import { PAM_SEGMENTS } from "../../devices/pci/pam.js";
import { gfn, gpa } from "../../shared/brand.js";

const PAGE = 4096;
const SCRATCH = 64 * 1024;

const needs = fc.record({
  vcpus: fc.integer({ min: 1, max: 8 }),
  disks: fc.nat(16),
  nets: fc.nat(4),
  runBytes: fc.constantFrom(4096, 3 * 4096, 12_000),
  xenBytes: fc.nat(1 << 20),
  overlayPages: fc.nat(1100),
});

describe("controlLayout()", () => {
  it("gives every part pages of its own, in order, and room for every thread's scratch", () => {
    fc.assert(
      fc.property(needs, (wanted) => {
        const layout = controlLayout(wanted);
        const threads = 2 + wanted.disks + wanted.nets + wanted.vcpus;
        const parts = [
          [layout.arena, layout.arenaBytes],
          [layout.scratch, threads * SCRATCH],
          [layout.runs, wanted.vcpus * layout.runBytes],
          [layout.overlays, wanted.overlayPages * PAGE],
          [layout.savedRam, wanted.overlayPages * PAGE],
          [layout.special, 4 * PAGE],
          [layout.resetPage, PAGE],
        ] as const;
        let end = 0;
        for (const [start, length] of parts) {
          assert.equal(start % PAGE, 0);
          assert(start >= end);
          end = start + length;
        }
        assert(layout.total >= end && layout.runBytes >= wanted.runBytes && layout.runBytes % PAGE === 0);
      }),
    );
  });
});

describe("ThreadSlot", () => {
  it("gives each thread a piece of scratch memory of its own", () => {
    const [disks, nets, vcpus] = [3, 2, 4];
    const slots = [
      ThreadSlot.machine,
      ThreadSlot.device,
      ...Array.from({ length: disks }, (_, i) => ThreadSlot.disk(i)),
      ...Array.from({ length: nets }, (_, i) => ThreadSlot.net(i, disks)),
      ...Array.from({ length: vcpus }, (_, i) => ThreadSlot.vcpu(i, disks + nets)),
    ];
    assert.deepEqual(
      slots,
      Array.from({ length: 2 + disks + nets + vcpus }, (_, i) => i),
    );
    const memory = {
      control: { buffer: new SharedArrayBuffer(16 * SCRATCH), hva: 0x1000 },
      layout: { scratch: PAGE },
    } as unknown as MachineMemory;
    assert.deepEqual(
      slots.map((slot) => scratchOf(memory, slot).take(8)),
      slots.map((slot) => PAGE + slot * SCRATCH),
    );
  });
});

describe("allocateRam()", () => {
  const HUGE_PAGE = 2 << 20;

  it("begins each block where KVM can map huge pages", () => {
    for (const size of [HUGE_PAGE, 3 * HUGE_PAGE + PAGE, 64 << 20]) {
      for (const block of allocateRam(openLibc(), size)) {
        assert.equal((ramHva(block) - block.gpa) % HUGE_PAGE, 0);
        assert(block.start + block.size <= block.memory.buffer.byteLength);
      }
    }
  });

  it("divides RAM above 4 GiB into blocks that follow each other", () => {
    const blocks = allocateRam(openLibc(), 9 * 2 ** 30);
    let end = 2 ** 32;
    for (const { gpa: at, size } of blocks.slice(1)) {
      assert.deepEqual([at, at % HUGE_PAGE], [end, 0]);
      end = at + size;
    }
    assert.equal(
      blocks.reduce((sum, { size }) => sum + size, 0),
      9 * 2 ** 30,
    );
  });
});

describe("ramAt()", () => {
  const block = (at: number, size: number, start: number) => ({
    gpa: gpa(at),
    size,
    memory: { buffer: new SharedArrayBuffer(0), hva: 0 },
    start,
  });
  const low = block(0, 0xe000_0000, 0);
  const high = block(2 ** 32, 8 * PAGE, 16 * PAGE);
  const memory = { ram: [low, high] } as unknown as MachineMemory;

  it("finds the block behind a frame, and the place in it", () => {
    assert.deepEqual(ramAt(memory, gfn(5)), { block: low, offset: 5 * PAGE });
    assert.deepEqual(ramAt(memory, gfn(0x10_0003)), { block: high, offset: 19 * PAGE });
  });

  it("finds nothing in holes and past the end", () => {
    for (const frame of [0xe_0000, 0xf_ffff, 0x10_0008, 2 ** 40 - 1]) {
      assert.equal(ramAt(memory, gfn(frame)), undefined);
    }
  });
});

describe("MemorySlot", () => {
  it("numbers RAM, special and overlay pages apart, below KVM's 509 slots of old hosts where RAM is", () => {
    // 1 TiB of RAM in blocks of almost 4 GiB is 257 blocks.
    assert(MemorySlot.ram(257) < MemorySlot.aboveOneMib);
    const firmware = [MemorySlot.aboveOneMib, MemorySlot.rom, ...PAM_SEGMENTS.map((_, i) => MemorySlot.pam(i))];
    assert.equal(new Set(firmware).size, 2 + PAM_SEGMENTS.length);
    assert(Math.max(...firmware) < MemorySlot.special);
    assert.equal(MemorySlot.overlay(0), MemorySlot.special + 1);
    assert.equal(MemorySlot.overlay(7), MemorySlot.overlay(0) + 7);
  });
});
