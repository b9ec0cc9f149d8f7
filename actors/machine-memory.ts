/**
 * The machine's memory as the process has it: guest RAM, and one control block with everything else that threads share.
 *
 * Plain data, made by the machine's thread and handed to every worker.
 */
import { gfnToGpa, gpa, PAGE_SIZE } from "../shared/brand.js";
import type { Gfn, Gpa } from "../shared/brand.js";
import { HIGH_RAM_START, splitRam, XEN_SPECIAL_PAGES } from "../shared/layout.js";
import { SHARED_INFO_PAGE } from "../xen/domain-config.js";
import { adviseHugePages, allocate } from "./host/host-memory.js";
import type { HostMemory } from "./host/host-memory.js";
import type { Libc } from "./host/libc.js";
import { Scratch } from "./host/kvm.js";

const KIB = 1024;
/** Registers of all devices, rings of the serial ports, counters. */
const DEVICE_STATE_BYTES = 1024 * KIB;
const SCRATCH_BYTES = 64 * KIB;
/** KVM maps a huge page to the guest only where its guest-physical and its host virtual address are both multiples. */
const HUGE_PAGE = 2 * KIB * KIB;
/** A WebAssembly memory holds 4 GiB, so larger RAM has several, each with room to begin where a huge page does. */
const RAM_BLOCK_BYTES = 4 * KIB * KIB * KIB - HUGE_PAGE;

export interface RamBlock {
  /** A multiple of a huge page's size. */
  readonly gpa: Gpa;
  readonly size: number;
  readonly memory: HostMemory;
  /** Where in the memory the block begins, in bytes. */
  readonly start: number;
}

/** Firmware, which ends at 4 GiB, and whose end shows below 1 MiB, too. Nobody writes to it. */
export interface Rom {
  readonly memory: HostMemory;
  /** In bytes, a multiple of 64 KiB. */
  readonly size: number;
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
  /** The page of the reset vector, where there is no firmware. */
  readonly resetPage: number;
  readonly total: number;
}

export interface MachineMemory {
  readonly control: HostMemory;
  readonly layout: ControlLayout;
  readonly ram: readonly RamBlock[];
  /** The firmware's; undefined when a kernel is booted directly. */
  readonly rom: Rom | undefined;
  /** memfd behind the overlay pages; -1 without Xen. */
  readonly overlayFd: number;
}

export interface ControlNeeds {
  readonly vcpus: number;
  readonly disks: number;
  readonly nets: number;
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
  const resetPage = take(PAGE_SIZE);
  const { overlayPages } = needs;
  return {
    arena,
    arenaBytes,
    scratch,
    runs,
    runBytes,
    overlays,
    overlayPages,
    savedRam,
    special,
    resetPage,
    total: next,
  };
}

function threadCount(needs: ControlNeeds): number {
  return 2 + needs.disks + needs.nets + needs.vcpus;
}

/** Which piece of scratch memory a thread has. */
export const ThreadSlot = {
  machine: 0,
  device: 1,
  disk: (index: number): number => 2 + index,
  net: (index: number, disks: number): number => 2 + disks + index,
  /** `ioActors` is the number of disks and network cards. */
  vcpu: (index: number, ioActors: number): number => 2 + ioActors + index,
} as const;

export function scratchOf(memory: MachineMemory, slot: number): Scratch {
  return new Scratch(memory.control, memory.layout.scratch + slot * SCRATCH_BYTES, SCRATCH_BYTES);
}

/** The host address of every buffer that holds guest memory. */
export function hostAddresses({ control, ram }: MachineMemory): ReadonlyMap<SharedArrayBuffer, number> {
  return new Map([control, ...ram.map(({ memory }) => memory)].map(({ buffer, hva }) => [buffer, hva]));
}

/** Guest RAM in blocks, below the hole and from 4 GiB. */
export function allocateRam(libc: Libc, bytes: number): readonly RamBlock[] {
  const { low, high } = splitRam(bytes);
  const blocks = [ramBlock(libc, gpa(0), low)];
  for (let done = 0; done < high; done += RAM_BLOCK_BYTES) {
    blocks.push(ramBlock(libc, gpa(HIGH_RAM_START + done), Math.min(RAM_BLOCK_BYTES, high - done)));
  }
  return blocks;
}

function ramBlock(libc: Libc, at: Gpa, size: number): RamBlock {
  const memory = allocate(libc, size + HUGE_PAGE);
  const start = Math.ceil(memory.hva / HUGE_PAGE) * HUGE_PAGE - memory.hva;
  adviseHugePages(libc, memory, start, size);
  return { gpa: at, size, memory, start };
}

/** The host virtual address of a block's first byte. */
export function ramHva({ memory, start }: RamBlock): number {
  return memory.hva + start;
}

/** Where guest frame `frame` lies in our RAM; undefined when no RAM is behind it. */
export function ramAt(memory: MachineMemory, frame: Gfn): RamPlace | undefined {
  const address = gfnToGpa(frame);
  for (const block of memory.ram) {
    const offset = address - block.gpa;
    if (offset >= 0 && offset + PAGE_SIZE <= block.size) return { block, offset: block.start + offset };
  }
  return undefined;
}

export interface RamPlace {
  readonly block: RamBlock;
  /** Into the block's memory, in bytes. */
  readonly offset: number;
}

/** Our own address of the page that the guest knows as shared_info. */
export function sharedInfoHva({ control, layout }: MachineMemory): number {
  return control.hva + layout.overlays + SHARED_INFO_PAGE * PAGE_SIZE;
}
