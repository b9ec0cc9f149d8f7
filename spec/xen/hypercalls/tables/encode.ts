/** A row's calls as a caller of one mode lays them out: bytes at addresses. */
import type { DualStruct } from "../../../../xen/abi/dual-struct.js";
import type { Call, Left, Memory, Save, Width } from "./row.js";
import { range, value } from "./value.js";
import type { Base, Given, Range, Value } from "./value.js";

export type Mode = 64 | 32;

/** Bytes at an address, little-endian; of 1, 2, 4 or 8. */
export interface Cell {
  readonly at: Value;
  readonly size: number;
}

export interface Store extends Cell {
  readonly value: Value;
}

export interface Check extends Cell {
  readonly range: Range;
}

export interface Load extends Cell {
  readonly slot: number;
}

/** Memory that a call may touch; filled before it, and looked at afterwards. */
export interface Area {
  readonly at: Value;
  readonly size: number;
}

export interface EncodedCall {
  readonly number: number;
  readonly args: readonly Value[];
  readonly areas: readonly Area[];
  readonly stores: readonly Store[];
  readonly result: Range;
  readonly checks: readonly Check[];
  readonly loads: readonly Load[];
  /** -1 for none. */
  readonly resultSlot: number;
  readonly partial: boolean;
}

const WORD_BYTES = 8;

function plus({ base, plus: sum }: Value, bytes: number): Value {
  return { base, plus: sum + BigInt(bytes) };
}

/** Where a struct's field lies in a mode. Halves of one field are put together again; a half of no bytes is left out. */
function field(layout: DualStruct<unknown>, name: string, mode: Mode): { offset: number; size: number } {
  const struct = mode === 64 ? layout.wide : layout.compat;
  const offsets = struct.offsets as Readonly<Record<string, number>>;
  const sizes = struct.sizes as Readonly<Record<string, number>>;
  const offset = offsets[name] ?? offsets[`${name}Low`];
  const size = sizes[name] ?? (sizes[`${name}Low`] ?? 0) + (sizes[`${name}High`] ?? 0);
  if (offset === undefined) throw new Error(`Cannot find field ${name} of ${layout.name}`);
  return { offset, size };
}

function structSize(layout: DualStruct<unknown>, mode: Mode): number {
  return (mode === 64 ? layout.wide : layout.compat).size;
}

function elementSize(width: Width, mode: Mode): number {
  return width === "ulong" ? mode / 8 : width;
}

/** `text` and zeros over `size` bytes, a word at a time. */
function textCells(at: Value, size: number, text: string): readonly Store[] {
  const cells: Store[] = [];
  let offset = 0;
  while (offset < size) {
    const width = size - offset < WORD_BYTES ? 1 : WORD_BYTES;
    let word = 0n;
    for (let i = width - 1; i >= 0; i--) word = word * 256n + BigInt(text.charCodeAt(offset + i) || 0);
    cells.push({ at: plus(at, offset), size: width, value: value(word) });
    offset += width;
  }
  return cells;
}

function stores(memory: Memory, mode: Mode): readonly Store[] {
  if ("text" in memory) return textCells(memory.at, memory.text.length, memory.text);
  if ("layout" in memory) {
    const { layout } = memory;
    return Object.entries(memory.fields).flatMap(([name, given]) => {
      const { offset, size } = field(layout, name, mode);
      const cell = plus(memory.at, offset);
      return typeof given === "string" ? textCells(cell, size, given) : [{ at: cell, size, value: value(given) }];
    });
  }
  const size = elementSize(memory.width, mode);
  return memory.values.map((given, i) => ({ at: plus(memory.at, i * size), size, value: value(given) }));
}

function checks(left: Left, mode: Mode): readonly Check[] {
  if ("layout" in left) {
    return Object.entries(left.fields).flatMap(([name, expected]) => {
      const { offset, size } = field(left.layout, name, mode);
      const cell = plus(left.at, offset);
      if (typeof expected !== "string") return [{ at: cell, size, range: range(expected) }];
      return textCells(cell, size, expected).map((text) => ({
        at: text.at,
        size: text.size,
        range: range(text.value),
      }));
    });
  }
  const size = elementSize(left.width, mode);
  return left.values.map((expected, i) => ({ at: plus(left.at, i * size), size, range: range(expected) }));
}

function area(memory: Memory | Left, mode: Mode): Area {
  if ("text" in memory) return { at: memory.at, size: memory.text.length };
  if ("layout" in memory) return { at: memory.at, size: structSize(memory.layout, mode) };
  return { at: memory.at, size: elementSize(memory.width, mode) * memory.values.length };
}

function load({ slot, at, layout, field: name }: Save, mode: Mode): Load {
  const { offset, size } = field(layout, name, mode);
  return { slot, at: plus(at, offset), size };
}

/** What a call finds and what it leaves may be at one place: areas inside others are left out. */
function areas(call: Call, mode: Mode): readonly Area[] {
  const all = [...call.before, ...call.after].map((memory) => area(memory, mode));
  return all.filter(
    (one, i) => !all.some((other, j) => i !== j && inside(one, other) && (i > j || !inside(other, one))),
  );
}

function inside(one: Area, other: Area): boolean {
  const start = one.at.plus - other.at.plus;
  return samePlace(one.at.base, other.at.base) && start >= 0n && start + BigInt(one.size) <= BigInt(other.size);
}

function samePlace(one: Base, other: Base): boolean {
  return one.kind === "address" && other.kind === "address" && one.place === other.place;
}

export function encode(call: Call, mode: Mode): EncodedCall {
  return {
    number: call.number,
    args: call.args.map((given: Given) => value(given)),
    areas: areas(call, mode),
    stores: call.before.flatMap((memory) => stores(memory, mode)),
    result: range(call.result),
    checks: call.after.flatMap((left) => checks(left, mode)),
    loads: call.saves.map((save) => load(save, mode)),
    resultSlot: call.saveResult ?? -1,
    partial: call.partial ?? false,
  };
}
