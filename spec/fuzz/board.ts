/**
 * A whole board by ports, PCI configuration space and MMIO, in any order and width: no access throws, no function becomes
 * another, and a reset brings all back.
 */
import assert from "node:assert/strict";
import { gpa } from "../../shared/brand.js";
import type { MachineConfig } from "../../shared/config.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";
import { BOARD_DEADLINES } from "../../actors/deadlines.js";
import { LEGACY_PORTS, SERIAL_PORTS } from "../../actors/machine-map.js";
import { BoardRig, EVERYTHING } from "../actors/board-rig.js";
import type { Draw } from "./draw.js";
import type { Entrance } from "./entrance.js";

const RAM_BYTES = 1 << 20;
const CONFIG: Partial<MachineConfig> = {
  ...EVERYTHING,
  disks: [
    { path: "a", attach: { kind: "ide" } },
    { path: "b", attach: { kind: "virtio", slot: 5 } },
  ],
  nets: [{ model: { kind: "virtio", slot: 6 }, backend: { kind: "none" } }],
  devices: [{ kind: "edu", slot: 7 }],
};
/** PCI configuration mechanism 1, and what it reaches on this board. */
const ADDRESS = 0xcf8;
const DATA = 0xcfc;
const ENABLE = 0x8000_0000;
const SLOTS = 9;
/** Vendor 0x8086, device 0x1237: the 440FX's host bridge. */
const HOST_BRIDGE = 0x1237_8086;
const UART_SCRATCH = 0x3ff;
/** Where chips have MMIO at a fixed place, and where firmware and kernels put BARs. */
const WINDOWS = [0xfec0_0000, 0xfee0_0000, 0xf_0000, 0xe000_0000, 0xf000_0000, 0xfeb0_0000];
const RANGES = [...LEGACY_PORTS, ...SERIAL_PORTS.map(({ base }) => ({ base, length: 8 }))];

function anyPort(draw: Draw): number {
  const { base, length } = draw.of(RANGES);
  // A BAR's usual place, a chip's ports and a little beyond, or any.
  if (draw.oneIn(6)) return draw.oneIn(2) ? 0xc000 + draw.below(0x200) : draw.below(0x1_0000);
  return Math.min(base + draw.below(length + 1), 0xfffc);
}

function configAddress(draw: Draw): number {
  const register = draw.oneIn(2) ? draw.of([0x04, 0x10, 0x14, 0x20, 0x24, 0x30, 0x34, 0x3c]) : draw.below(256);
  return (ENABLE + draw.below(SLOTS) * 0x800 + (draw.oneIn(4) ? draw.below(8) * 0x100 : 0) + register) >>> 0;
}

/** Vendor and device of each slot's first function, and of slot 1's others. */
function identities(rig: BoardRig): readonly number[] {
  const functions = [...Array.from({ length: SLOTS }, (_, slot) => slot * 0x800), 0x900, 0xa00, 0xb00];
  return functions.map((at) => {
    rig.out(ADDRESS, ENABLE + at, 4);
    return rig.in(DATA, 4);
  });
}

export const board: Entrance = {
  name: "board",
  tryOne(draw) {
    const ram = new MemoryRegion(gpa(0), RAM_BYTES, new SharedArrayBuffer(RAM_BYTES));
    const rig = new BoardRig(CONFIG, new SharedArrayBuffer(1 << 21), undefined, new GuestMemory([ram]));
    rig.board.reset();
    const before = identities(rig);
    assert.equal(before[0], HOST_BRIDGE);
    for (let left = 1 + draw.below(120); left > 0; left--) {
      const kind = draw.below(8);
      const size = draw.of([1, 1, 2, 4] as const);
      if (kind < 3) rig.out(anyPort(draw), draw.word(), size);
      else if (kind === 3) rig.in(anyPort(draw), size);
      else if (kind < 6) {
        rig.out(ADDRESS, configAddress(draw), 4);
        const at = DATA + (draw.below(4) & -size);
        if (draw.oneIn(3)) rig.in(at, size);
        else rig.out(at, draw.word(), size);
      } else if (kind === 6) {
        const at = draw.oneIn(4) ? draw.word() : draw.of(WINDOWS) + draw.below(0x1000);
        rig.mmio(at, 1 + draw.below(8), draw.oneIn(2));
      } else {
        rig.now += draw.below(1_000_000_000);
        rig.board.expire(draw.below(BOARD_DEADLINES), rig.now);
      }
    }
    assert.deepEqual(identities(rig), before, "functions are what they were");
    rig.board.reset();
    assert.deepEqual(identities(rig), before, "functions are there after a reset");
    rig.out(UART_SCRATCH, 0x5a);
    assert.equal(rig.in(UART_SCRATCH), 0x5a, "a chip answers after a reset");
  },
};
