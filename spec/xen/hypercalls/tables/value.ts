/**
 * Values of the hypercall tables: numbers, and those that only the caller knows, such as where its memory lies.
 *
 * A value is a base and what is added to it, modulo 2^64.
 */

/** Places in the caller's memory; a table's executor says where each lies. */
export const PLACES = [
  /** Ordinary memory: for the argument's struct. */
  "argument",
  /** Ordinary memory: for what the struct points to. */
  "data",
  /** A page that no struct lies in. */
  "spare",
  "other spare",
  /** Between two pages whose memory lies apart. */
  "boundary",
  /** Between a page and one that is not there. */
  "cliff",
  /** Start of a page that is not there. */
  "hole",
  /** Start of a page that can be read only. */
  "read-only",
  /** No address of a 64-bit processor's. */
  "not canonical",
  /** Mapped, but neither memory nor a chip is there. */
  "nowhere",
] as const;
export type Place = (typeof PLACES)[number];

export type Base =
  | { readonly kind: "none" }
  /** Address of a place, as the caller sees it. */
  | { readonly kind: "address"; readonly place: Place }
  /** Number of the guest frame in which a place lies. */
  | { readonly kind: "frame"; readonly place: Place }
  /** What an earlier call of the same row left. */
  | { readonly kind: "saved"; readonly slot: number }
  /** System time at the call, in ns. */
  | { readonly kind: "now" }
  /** The caller's vCPU, or another one. */
  | { readonly kind: "vcpu"; readonly other: boolean };

export interface Value {
  readonly base: Base;
  readonly plus: bigint;
}

/** A number, or a value; negative ones are in two's complement. */
export type Given = number | bigint | Value;

/** What may come out: all from `low` to `high`. */
export interface Range {
  readonly low: Value;
  readonly high: Value;
}
export type Expected = Given | Range;

/** Slots that a row's calls may save values in. */
export const SLOTS = 4;

export function value(given: Given): Value {
  return typeof given === "object" ? given : { base: { kind: "none" }, plus: BigInt(given) };
}

export function range(expected: Expected): Range {
  if (typeof expected === "object" && "low" in expected) return expected;
  return { low: value(expected), high: value(expected) };
}

/** `offset` bytes from a place. */
export function at(place: Place, offset = 0): Value {
  return { base: { kind: "address", place }, plus: BigInt(offset) };
}

export function frameOf(place: Place): Value {
  return { base: { kind: "frame", place }, plus: 0n };
}

export function saved(slot: number, plus = 0): Value {
  return { base: { kind: "saved", slot }, plus: BigInt(plus) };
}

export function now(plusNs = 0): Value {
  return { base: { kind: "now" }, plus: BigInt(plusNs) };
}

export const THIS_VCPU: Value = { base: { kind: "vcpu", other: false }, plus: 0n };
export const OTHER_VCPU: Value = { base: { kind: "vcpu", other: true }, plus: 0n };

export function between(low: Given, high: Given): Range {
  return { low: value(low), high: value(high) };
}

/** Of a result or field of up to 32 bits. */
export function atLeast(low: number): Range {
  return between(low, 0x7fff_ffff);
}
