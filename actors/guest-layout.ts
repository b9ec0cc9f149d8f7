/** What the guest finds in its physical address space, as our objects: memory regions, and the Xen domain's view of RAM. */
import { PAGE_SIZE } from "../shared/brand.js";
import type { ResolvedConfig } from "../shared/config.js";
import { E820, XEN_SPECIAL_BASE, XEN_SPECIAL_PAGES } from "../shared/layout.js";
import { GuestMemory, MemoryRegion } from "../shared/memory.js";
import { buildE820 } from "../devices/boot/e820.js";
import type { XenConfig } from "../xen/domain-config.js";
import type { Overlays } from "../xen/overlays.js";
import type { MachineMemory } from "./machine-memory.js";

/** RAM, then Xen's special pages where the guest finds them. */
export function guestMemory(
  memory: MachineMemory,
  config: ResolvedConfig,
  overlays: Overlays | undefined,
): GuestMemory {
  const regions = memory.ram.map((block) => new MemoryRegion(block.gpa, block.size, block.memory.buffer));
  if (config.accel.xenVersion !== 0) {
    const size = XEN_SPECIAL_PAGES * PAGE_SIZE;
    regions.push(new MemoryRegion(XEN_SPECIAL_BASE, size, memory.control.buffer, memory.layout.special));
  }
  return new GuestMemory(regions, overlays);
}

export function xenConfig(config: ResolvedConfig): XenConfig {
  const { accel, uuid, xenDomid, memoryBytes } = config;
  const memoryMap = buildE820(memoryBytes);
  return {
    version: accel.xenVersion,
    vcpus: config.vcpus.count,
    domid: xenDomid,
    maxPirqs: accel.evtchnMaxPirq,
    maxGrantFrames: accel.gnttabMaxFrames,
    handle: Uint8Array.from(uuid.replaceAll("-", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
    memoryMap,
    ram: memoryMap
      .filter((entry) => entry.type === E820.ram)
      // The frame that PC firmware's data area shares with conventional memory is RAM, too.
      .map((entry) => ({ first: entry.base / PAGE_SIZE, count: Math.ceil(entry.length / PAGE_SIZE) })),
    console: true,
  };
}
