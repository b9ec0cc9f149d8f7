/** What a bus calls and what a device declares. The bus knows addresses; a device sees offsets only. */
import type { Gpa, Port } from "./brand.js";

/** Width of one bus access, in bytes. MMIO may also be 8 wide; the bus splits those into two of 4. */
export type AccessSize = 1 | 2 | 4;

/** What a bus calls. Guest input cannot make either method throw: odd accesses have defined results. */
export interface IoHandler {
  /** Value at `offset` bytes into the range, unsigned. */
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

/** The accesses of one `rep ins` or `rep outs` exit, all to one port. */
export interface RepeatedAccess {
  readonly offset: number;
  readonly size: AccessSize;
  /** `size` bytes for each access, little-endian: read from, or to be filled. */
  readonly data: Uint8Array;
}

/** A handler through which much data goes: it takes a whole exit's accesses at once. Each of them counts as one. */
export interface RepeatedIoHandler extends IoHandler {
  readRepeated(access: RepeatedAccess): void;
  writeRepeated(access: RepeatedAccess): void;
}

export function takesRepeated(handler: IoHandler): handler is RepeatedIoHandler {
  return "readRepeated" in handler;
}

/** Fills `data` with what `read` gives, one access after the other. */
export function repeatRead(data: Uint8Array, size: AccessSize, read: () => number): void {
  for (let at = 0; at < data.length; at += size) {
    for (let byte = 0, rest = read(); byte < size; byte++, rest >>>= 8) data[at + byte] = rest;
  }
}

/** Gives `write` what `data` holds, one access after the other. */
export function repeatWrite(data: Uint8Array, size: AccessSize, write: (value: number) => void): void {
  for (let at = 0; at < data.length; at += size) {
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= (data[at + byte] ?? 0) << (byte * 8);
    write(value >>> 0);
  }
}

/** A claim on I/O ports `[base, base + length)`. */
export interface PortRange {
  readonly base: Port;
  readonly length: number;
  readonly handler: IoHandler;
}

/** A claim on guest-physical addresses `[base, base + length)`. */
export interface MmioRange {
  readonly base: Gpa;
  readonly length: number;
  readonly handler: IoHandler;
}

/** A part of the machine that the guest finds at fixed ports. */
export interface Device {
  /** Short, stable, for logs and metrics: "i8254". */
  readonly name: string;
  readonly ports: readonly PortRange[];
  /** Puts every register back to its power-on value. */
  reset(): void;
}

/** A part with fixed memory-mapped registers (IOAPIC, HPET). */
export interface MmioDevice extends Device {
  readonly mmio: readonly MmioRange[];
}

/** One interrupt input. Level 1 asserts; setting the same level twice is harmless. */
export interface IrqLine {
  set(level: 0 | 1): void;
}

/** Value that a read of `size` bytes gives where nothing answers: the bus floats high. */
export function allOnes(size: AccessSize): number {
  return size === 4 ? 0xffff_ffff : size === 2 ? 0xffff : 0xff;
}
