/**
 * The machine's memory as the process has it: guest RAM, and one control block with everything else that threads share.
 *
 * Plain data, made by the machine's thread and handed to every worker.
 */
import { gfnToGpa, gpa, PAGE_SIZE } from "../shared/brand.js";
import type { Gfn, Gpa } from "../shared/brand.js";
import { HIGH_RAM_START, splitRam, XEN_SPECIAL_PAGES } from "../shared/layout.js";
import { adviseHugePages, allocate } from "./host/host-memory.js";
import type { HostMemory } from "./host/host-memory.js";
import type { Libc } from "./host/libc.js";
import { Scratch } from "./host/kvm.js";

const KIB = 1024;
/** Registers of all devices, rings of the serial ports, counters. */
const DEVICE_STATE_BYTES = 1024 * KIB;
const SCRATCH_BYTES = 64 * KIB;
/** A WebAssembly memory holds 4 GiB, so larger RAM has several. */
const RAM_BLOCK_BYTES = 4 * KIB * KIB * KIB;

export interface RamBlock {
  readonly gpa: Gpa;
  readonly size: number;
  readonly memory: HostMemory;
}

/** Offsets into the control block, in bytes. */
export interface ControlLayout {
  readonly arena: number;
  readonly arenaBytes: number;
  readonly scratch: number;
  readonly runs: number;
  readonly runBytes: number;
  /** Permanent alias of the overlay pages: shared_info and the grant frames. */
  readonly overlays: number;
  readonly overlayPages: number;
  /** What RAM held where an overlay page lies over it now. */
  readonly savedRam: number;
  /** Xen's special pages: console and xenstore rings. */
  readonly special: number;
  readonly total: number;
}

export interface MachineMemory {
  readonly control: HostMemory;
  readonly layout: ControlLayout;
  readonly ram: readonly RamBlock[];
  /** memfd behind the overlay pages; -1 without Xen. */
  readonly overlayFd: number;
}

export interface ControlNeeds {
  readonly vcpus: number;
  readonly disks: number;
  readonly runBytes: number;
  readonly xenBytes: number;
  readonly overlayPages: number;
}

export function controlLayout(needs: ControlNeeds): ControlLayout {
  let next = 0;
  function take(bytes: number): number {
    const at = next;
    next += Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
    return at;
  }
  const arenaBytes = DEVICE_STATE_BYTES + needs.xenBytes;
  const arena = take(arenaBytes);
  const scratch = take(threadCount(needs) * SCRATCH_BYTES);
  const runBytes = Math.ceil(needs.runBytes / PAGE_SIZE) * PAGE_SIZE;
  const runs = take(needs.vcpus * runBytes);
  const overlays = take(needs.overlayPages * PAGE_SIZE);
  const savedRam = take(needs.overlayPages * PAGE_SIZE);
  const special = take(XEN_SPECIAL_PAGES * PAGE_SIZE);
  const { overlayPages } = needs;
  return { arena, arenaBytes, scratch, runs, runBytes, overlays, overlayPages, savedRam, special, total: next };
}

function threadCount(needs: ControlNeeds): number {
  return 2 + needs.disks + needs.vcpus;
}

/** Which piece of scratch memory a thread has. */
export const ThreadSlot = {
  machine: 0,
  device: 1,
  disk: (index: number): number => 2 + index,
  vcpu: (index: number, disks: number): number => 2 + disks + index,
} as const;

export function scratchOf(memory: MachineMemory, slot: number): Scratch {
  return new Scratch(memory.control, memory.layout.scratch + slot * SCRATCH_BYTES, SCRATCH_BYTES);
}

/** Guest RAM in blocks of at most 4 GiB, below the hole and from 4 GiB. */
export function allocateRam(libc: Libc, bytes: number): readonly RamBlock[] {
  const { low, high } = splitRam(bytes);
  const blocks = [ramBlock(libc, gpa(0), low)];
  for (let done = 0; done < high; done += RAM_BLOCK_BYTES) {
    blocks.push(ramBlock(libc, gpa(HIGH_RAM_START + done), Math.min(RAM_BLOCK_BYTES, high - done)));
  }
  return blocks;
}

function ramBlock(libc: Libc, at: Gpa, size: number): RamBlock {
  const memory = allocate(libc, size);
  adviseHugePages(libc, memory, size);
  return { gpa: at, size, memory };
}

/** Where guest frame `frame` lies in our RAM; undefined when no RAM is behind it. */
export function ramAt(memory: MachineMemory, frame: Gfn): RamPlace | undefined {
  const address = gfnToGpa(frame);
  for (const block of memory.ram) {
    const offset = address - block.gpa;
    if (offset >= 0 && offset + PAGE_SIZE <= block.size) return { block, offset };
  }
  return undefined;
}

export interface RamPlace {
  readonly block: RamBlock;
  /** Into the block's memory, in bytes. */
  readonly offset: number;
}
