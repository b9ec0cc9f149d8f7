/**
 * Who gets which part of guest RAM while a kernel is loaded: a kernel's own segments claim fixed places, everything
 * else (boot parameters, page tables, modules, initrd) is put where room is left, so nothing can ever overlap.
 */
import { EBDA_START, ONE_MIB, splitRam } from "../../shared/layout.js";
import type { Gpa } from "../../shared/brand.js";

/**
 * Boot data starts here: above the interrupt vectors, the BIOS data area, the boot sector's 0x7c00 and the page at
 * 0x8000 that small kernels like to start their other processors in.
 */
export const BOOT_DATA_START = 0x9000;

interface Span {
  readonly start: number;
  /** First byte behind the span. */
  readonly end: number;
}

export class Placement {
  /** RAM below 4 GiB that a kernel may be loaded to. */
  readonly #ram: readonly Span[];
  /** What is left of it, ascending, never adjacent. */
  #free: Span[];

  constructor(ramBytes: number) {
    const { low } = splitRam(ramBytes);
    this.#ram = [
      { start: 0, end: Math.min(low, EBDA_START) },
      { start: ONE_MIB, end: low },
    ].filter(({ start, end }) => start < end);
    this.#free = [...this.#ram];
  }

  /** Takes `[start, start + length)`. Returns what is wrong with it when it cannot be had. */
  claim(start: number, length: number): string | undefined {
    const end = start + length;
    if (!this.#ram.some((span) => start >= span.start && end <= span.end)) return "lies outside the guest's RAM";
    if (length === 0) return undefined;
    if (!this.#free.some((span) => start >= span.start && end <= span.end)) return "overlaps another part";
    this.#take(start, end);
    return undefined;
  }

  /** Takes the lowest free `length` bytes at or above `from`. */
  takeLowest(length: number, alignment: number, from: number = BOOT_DATA_START): Gpa | undefined {
    for (const span of this.#free) {
      const start = Math.ceil(Math.max(span.start, from) / alignment) * alignment;
      if (start + length > span.end) continue;
      this.#take(start, start + length);
      return start as Gpa;
    }
    return undefined;
  }

  /** Takes the highest free `length` bytes that end at or below `limit`, above 1 MiB. */
  takeHighest(length: number, alignment: number, limit: number): Gpa | undefined {
    for (const span of [...this.#free].reverse()) {
      const start = Math.floor((Math.min(span.end, limit) - length) / alignment) * alignment;
      if (start < Math.max(span.start, ONE_MIB)) continue;
      this.#take(start, start + length);
      return start as Gpa;
    }
    return undefined;
  }

  #take(start: number, end: number): void {
    this.#free = this.#free.flatMap((span) => {
      if (end <= span.start || start >= span.end) return [span];
      return [
        { start: span.start, end: start },
        { start: end, end: span.end },
      ].filter((rest) => rest.start < rest.end);
    });
  }
}
