/**
 * Guest-physical memory as a processor finds it in a machine with firmware: the attribute map decides segment by segment
 * between RAM and ROM. What devices reach by DMA is the plain GuestMemory: there RAM is behind every segment.
 */
import { LEGACY_HOLE_START, OPTION_ROM_START, ONE_MIB } from "../../shared/layout.js";
import { GuestMemory } from "../../shared/memory.js";
import type { MemoryRegion } from "../../shared/memory.js";
import { Pam, PAM_SEGMENTS, pamSegmentAt } from "./pam.js";

export interface RomRegions {
  /** The ROM's end as it shows below 1 MiB. */
  readonly low: MemoryRegion;
  /** All of it, below 4 GiB. */
  readonly high: MemoryRegion;
}

export class ProcessorMemory extends GuestMemory {
  readonly #ram: GuestMemory;
  readonly #rom: RomRegions;
  readonly #attributes: (segment: number) => number;

  /** `attributes` gives the `Pam` bits of a segment now. */
  constructor(ram: GuestMemory, rom: RomRegions, attributes: (segment: number) => number) {
    super(ram.regions);
    this.#ram = ram;
    this.#rom = rom;
    this.#attributes = attributes;
  }

  /** Undefined, too, where a range goes over from one segment to the next. */
  override region(at: number, length: number): MemoryRegion | undefined {
    if (!isLegacy(at, length)) return this.#ram.region(at, length) ?? within(this.#rom.high, at, length);
    const attributes = this.#attributesOf(at, length);
    if (attributes === undefined) return undefined;
    return (attributes & Pam.read) !== 0 ? this.#ram.region(at, length) : within(this.#rom.low, at, length);
  }

  /** Undefined, too, for what ignores stores. */
  override storable(at: number, length: number): MemoryRegion | undefined {
    if (!isLegacy(at, length)) return this.#ram.region(at, length);
    return ((this.#attributesOf(at, length) ?? 0) & Pam.write) !== 0 ? this.#ram.region(at, length) : undefined;
  }

  /** Of the one segment that holds the range. */
  #attributesOf(at: number, length: number): number | undefined {
    if (at < OPTION_ROM_START) return undefined;
    const index = pamSegmentAt(at);
    const segment = PAM_SEGMENTS[index];
    if (segment === undefined || at + length > segment.base + segment.length) return undefined;
    return this.#attributes(index);
  }
}

/** Whether the range touches anything between video memory and 1 MiB. */
function isLegacy(at: number, length: number): boolean {
  return at < ONE_MIB && at + length > LEGACY_HOLE_START;
}

function within(region: MemoryRegion, at: number, length: number): MemoryRegion | undefined {
  return at >= region.gpa && at + length <= region.gpa + region.size ? region : undefined;
}
