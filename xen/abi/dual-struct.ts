/**
 * A struct of the hypercall ABI in its two layouts: as 64-bit callers give it and as 32-bit callers do.
 *
 * They differ in the width of `unsigned long` and pointers, and in the alignment of 64-bit fields (8 against 4).
 */
import { struct, u32, u64n, u64n4 } from "../../shared/struct.js";
import type { FieldType, Struct } from "../../shared/struct.js";

/** Field types that depend on the caller's width. */
export interface AbiTypes {
  /** xen_ulong_t, xen_pfn_t: all bits count, as a number. */
  readonly ulong: FieldType<number>;
  /** uint64_t as a number (see `u64n`). */
  readonly u64: FieldType<number>;
  /** Low half of a uint64_t of which every bit counts; the high half is a `u32` that follows. */
  readonly u64lo: FieldType<number>;
  /** Low half of a guest pointer; must be followed by {@link pointerHigh}. */
  readonly pointerLow: FieldType<number>;
  /** High half of a guest pointer: no bytes, and zero, in the 32-bit layout. */
  readonly pointerHigh: FieldType<number>;
  /** A `u32` that begins an inner struct with a pointer or an `unsigned long` in it. */
  readonly structLow: FieldType<number>;
  /** Four bytes at the end of an inner struct that only the 64-bit layout has. */
  readonly widePad: FieldType<number>;
}

const nothing: FieldType<number> = { size: 0, align: 1, get: () => 0, set: () => undefined };
const WIDE: AbiTypes = {
  ulong: u64n,
  u64: u64n,
  u64lo: { ...u32, align: 8 },
  pointerLow: { ...u32, align: 8 },
  pointerHigh: u32,
  structLow: { ...u32, align: 8 },
  widePad: u32,
};
const COMPAT: AbiTypes = {
  ulong: u32,
  u64: u64n4,
  u64lo: u32,
  pointerLow: u32,
  pointerHigh: nothing,
  structLow: u32,
  widePad: nothing,
};

export interface DualStruct<F> {
  readonly name: string;
  /** Layout of 64-bit callers. */
  readonly wide: Struct<F>;
  /** Layout of 32-bit callers. */
  readonly compat: Struct<F>;
}

/** sizeof in both layouts, [64-bit, 32-bit]. */
export type Sizes = readonly [wide: number, compat: number];

/** Neither is laid out before it is used (`struct`). */
export function dualStruct<F extends { readonly [K in keyof F]: FieldType<number> | FieldType<Uint8Array> }>(
  name: string,
  sizes: Sizes,
  fields: (types: AbiTypes) => F,
): DualStruct<F> {
  return {
    name,
    wide: struct(name, sizes[0], () => fields(WIDE)),
    compat: struct(name, sizes[1], () => fields(COMPAT)),
  };
}
