/** What the guest finds in its physical address space, as our objects: memory regions, and the Xen domain's view of RAM. */
import { gpa, PAGE_SIZE } from "../shared/brand.js";
import type { ResolvedConfig } from "../shared/config.js";
import {
  E820,
  HIGH_RAM_START,
  LEGACY_HOLE_START,
  ONE_MIB,
  OPTION_ROM_START,
  XEN_SPECIAL_BASE,
  XEN_SPECIAL_PAGES,
} from "../shared/layout.js";
import { GuestMemory, MemoryRegion } from "../shared/memory.js";
import { buildE820 } from "../devices/boot/e820.js";
import { ProcessorMemory } from "../devices/pci/processor-memory.js";
import type { XenConfig } from "../xen/domain-config.js";
import type { Overlays } from "../xen/overlays.js";
import { KvmXenFlag } from "./host/kvm-abi.js";
import type { MachineMemory, RamBlock } from "./machine-memory.js";
import type { Transport } from "./protocol.js";
import { lowRomBytes } from "./shadow-slots.js";

/** RAM, then Xen's special pages where the guest finds them: what devices and hypercalls reach. */
export function guestMemory(
  memory: MachineMemory,
  config: ResolvedConfig,
  overlays: Overlays | undefined,
): GuestMemory {
  const regions = memory.ram.flatMap((block) => ramRegions(block, memory.rom !== undefined));
  if (config.accel.xenVersion !== 0) {
    const size = XEN_SPECIAL_PAGES * PAGE_SIZE;
    regions.push(new MemoryRegion(XEN_SPECIAL_BASE, size, memory.control.buffer, memory.layout.special));
  }
  return new GuestMemory(regions, overlays);
}

/** With firmware there is no RAM behind video memory; behind the segments above it there is, whatever they show. */
function ramRegions(block: RamBlock, firmware: boolean): readonly MemoryRegion[] {
  const { gpa: at, size, start, memory } = block;
  if (!firmware || at !== 0) return [new MemoryRegion(at, size, memory.buffer, start)];
  return [
    new MemoryRegion(OPTION_ROM_START, size - OPTION_ROM_START, memory.buffer, start + OPTION_ROM_START),
    new MemoryRegion(at, LEGACY_HOLE_START, memory.buffer, start),
  ];
}

/** What processors reach: in a firmware boot `attributes` says of each segment below 1 MiB whether it is RAM. */
export function processorMemory(
  memory: MachineMemory,
  ram: GuestMemory,
  attributes: (segment: number) => number,
): GuestMemory {
  const { rom } = memory;
  if (rom === undefined) return ram;
  const { buffer } = rom.memory;
  const low = lowRomBytes(rom);
  return new ProcessorMemory(
    ram,
    {
      low: new MemoryRegion(gpa(ONE_MIB - low), low, buffer, rom.size - low),
      high: new MemoryRegion(gpa(HIGH_RAM_START - rom.size), rom.size, buffer),
    },
    attributes,
  );
}

export interface ShadowBytes {
  readonly ram: Uint8Array;
  readonly rom: Uint8Array;
}

/** RAM from 0xc0000 to 1 MiB, and the ROM that shows there; undefined without firmware. */
export function shadowBytes({ ram: [low], rom }: MachineMemory): ShadowBytes | undefined {
  if (rom === undefined || low === undefined) return undefined;
  const shown = lowRomBytes(rom);
  return {
    ram: new Uint8Array(low.memory.buffer, low.start + OPTION_ROM_START, ONE_MIB - OPTION_ROM_START),
    rom: new Uint8Array(rom.memory.buffer, rom.size - shown, shown),
  };
}

/** Whether the guest is offered FIFO event channels. */
export function offersFifo({ accel }: ResolvedConfig, transport: Transport): boolean {
  if (accel.fifo !== "auto") return accel.fifo === "on";
  return (
    transport.kind === "userspace" || (transport.kind === "kernel" && (transport.flags & KvmXenFlag.EVTCHN_SEND) === 0)
  );
}

export function xenConfig(config: ResolvedConfig, fifo: boolean): XenConfig {
  const { accel, uuid, xenDomid, memoryBytes } = config;
  const memoryMap = buildE820(memoryBytes);
  return {
    version: accel.xenVersion,
    vcpus: config.vcpus.count,
    domid: xenDomid,
    maxPirqs: accel.evtchnMaxPirq,
    maxGrantFrames: accel.gnttabMaxFrames,
    handle: handleBytes(uuid),
    memoryMap,
    ram: memoryMap
      .filter((entry) => entry.type === E820.ram)
      // The frame that PC firmware's data area shares with conventional memory is RAM, too.
      .map((entry) => ({ first: entry.base / PAGE_SIZE, count: Math.ceil(entry.length / PAGE_SIZE) })),
    console: true,
    fifo,
  };
}

/** The 16 bytes of a UUID, in the order of its digits. */
export function handleBytes(uuid: string): Uint8Array {
  return Uint8Array.from(uuid.replaceAll("-", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
