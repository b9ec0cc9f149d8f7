/**
 * What a hypercall table is made of: (caller, arguments, memory before) and (result, memory after), as data.
 *
 * The same rows run in table-caller.ts, which is a guest in this process, and in the self-test guest, for which
 * scripts/hypercall-tables.mjs turns them into C. They know nothing of either.
 */
import type { DualStruct } from "../../../../xen/abi/dual-struct.js";
import type { Expected, Given, Value } from "./value.js";

/** Values of a struct's fields, by the names of its layout; `x` stands for `xLow` and `xHigh` where there is no `x`. */
export type Fields = Readonly<Record<string, Given | string>>;
export type ExpectedFields = Readonly<Record<string, Expected | string>>;

/** Elements of an array: of 2 or 4 bytes, 8, or as wide as the caller's `unsigned long`. */
export type Width = 2 | 4 | 8 | "ulong";

/** What a call finds in memory. Bytes that no field names are filler, and so are those right behind it. */
export type Memory =
  | { readonly at: Value; readonly layout: DualStruct<unknown>; readonly fields: Fields }
  | { readonly at: Value; readonly width: Width; readonly values: readonly Given[] }
  | { readonly at: Value; readonly text: string };

/** What it must leave there; fields that are not named may be anything. */
export type Left =
  | { readonly at: Value; readonly layout: DualStruct<unknown>; readonly fields: ExpectedFields }
  | { readonly at: Value; readonly width: Width; readonly values: readonly Expected[] };

/** Keeps a field for the calls that follow. */
export interface Save {
  readonly slot: number;
  readonly at: Value;
  readonly layout: DualStruct<unknown>;
  readonly field: string;
}

export interface Call {
  readonly number: number;
  readonly args: readonly Given[];
  readonly before: readonly Memory[];
  readonly result: Expected;
  readonly after: readonly Left[];
  readonly saves: readonly Save[];
  /** Slot for the result. */
  readonly saveResult?: number;
  /** An error may leave what came before it written, as in the middle of an array. */
  readonly partial?: boolean;
}

export interface Row {
  /** One line; begins with the case's number where the list of hostile inputs has one. */
  readonly name: string;
  /** Calls that bring about what the row is about, then its own, then those that undo it. */
  readonly first: readonly Call[];
  readonly call: Call;
  readonly last: readonly Call[];
  /** In place of the last ones, where its own call is refused. */
  readonly ifRefused?: readonly Call[];
  /** Callers for which the row makes sense; both unless said. */
  readonly mode?: 64 | 32;
  /** vCPUs that there must be. */
  readonly vcpus: number;
  /** Privilege level of the caller, 0 unless said. */
  readonly cpl?: number;
  /** Why the self-test guest does not run it, where it does not. */
  readonly notInGuest?: string;
}

/** One sub-operation, or a hypercall without any. */
export interface OperationTable {
  /** Of the sub-operation; -1 for a hypercall without any. */
  readonly number: number;
  readonly name: string;
  /** What we do, in one line. */
  readonly does: string;
  readonly rows: readonly Row[];
}

export interface Table {
  readonly hypercall: number;
  readonly name: string;
  /** File in which the rows stand. */
  readonly source: string;
  readonly operations: readonly OperationTable[];
}

/** Room behind each struct and array that must keep its filler, in bytes. */
export const GUARD_BYTES = 16;
export const FILLER = 0xaa;
