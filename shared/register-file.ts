/**
 * Registers as data: one row per register in address order, holes named, the total asserted.
 *
 * Width is solved here once: a wide access covers several registers, a narrow one part of a register. A device then only
 * says what each whole register reads as and does when written.
 */
import type { AccessSize } from "./io.js";

/**
 * What a write means.
 *
 * - `rw`: the register takes the value; a partial write keeps the other bytes, which are read first.
 * - `w1c`: ones clear bits. Bytes outside the access are written as 0 and nothing is read: a read-modify-write would clear
 *   every bit that happened to be set in the neighbouring bytes.
 * - `ro`: writes go nowhere.
 */
export type RegisterKind = "rw" | "w1c" | "ro";

/** Register size, in bytes. */
export type RegisterSize = 1 | 2 | 4;

export type RegisterRow<Name extends string> =
  readonly [name: Name, size: RegisterSize, kind?: RegisterKind] | { readonly reserved: number };

/** What a device does for its registers: whole registers only, unsigned. */
export interface RegisterAccess<Name extends string> {
  read(register: Name): number;
  write(register: Name, value: number): void;
}

/** `size` bytes that read as 0 and ignore writes. */
export function reserved(size: number): { readonly reserved: number } {
  return { reserved: size };
}

interface Register<Name extends string> {
  readonly name: Name;
  readonly start: number;
  readonly size: RegisterSize;
  readonly kind: RegisterKind;
}

export class RegisterFile<Name extends string> {
  /** Size of the whole file, in bytes. */
  readonly size: number;
  /** The register that each byte belongs to; undefined in holes. */
  readonly #owners: readonly (Register<Name> | undefined)[];

  /** @throws Error when the rows do not add up to `size` bytes, or a name comes twice */
  constructor(size: number, rows: readonly RegisterRow<Name>[]) {
    const owners: (Register<Name> | undefined)[] = [];
    const names = new Set<Name>();
    for (const row of rows) {
      if ("reserved" in row) {
        for (let byte = 0; byte < row.reserved; byte++) owners.push(undefined);
        continue;
      }
      const [name, length, kind = "rw"] = row;
      if (names.has(name)) throw new Error(`Cannot lay out registers: ${name} is there twice`);
      names.add(name);
      const register: Register<Name> = { name, start: owners.length, size: length, kind };
      for (let byte = 0; byte < length; byte++) owners.push(register);
    }
    if (owners.length !== size) {
      throw new Error(`Cannot lay out registers: rows take ${owners.length} bytes, the file has ${size}`);
    }
    this.size = size;
    this.#owners = owners;
  }

  /** Reads each register that the access touches once, in address order. Holes and bytes past the end read as 0. */
  read(offset: number, size: AccessSize, access: RegisterAccess<Name>): number {
    let result = 0;
    for (let byte = 0; byte < size;) {
      const register = this.#owners[offset + byte];
      if (register === undefined) {
        byte++;
        continue;
      }
      const skip = offset + byte - register.start;
      const length = Math.min(register.size - skip, size - byte);
      const value = (access.read(register.name) >>> (skip * 8)) & mask(length);
      result |= value << (byte * 8);
      byte += length;
    }
    return result >>> 0;
  }

  /** Writes each register that the access touches once, in address order. */
  write(offset: number, size: AccessSize, value: number, access: RegisterAccess<Name>): void {
    for (let byte = 0; byte < size;) {
      const register = this.#owners[offset + byte];
      if (register === undefined) {
        byte++;
        continue;
      }
      const skip = offset + byte - register.start;
      const length = Math.min(register.size - skip, size - byte);
      const shift = skip * 8;
      const part = (((value >>> (byte * 8)) & mask(length)) << shift) >>> 0;
      if (register.kind === "w1c" || (register.kind === "rw" && length === register.size)) {
        access.write(register.name, part);
      } else if (register.kind === "rw") {
        const kept = access.read(register.name) & ~(mask(length) << shift);
        access.write(register.name, (kept | part) >>> 0);
      }
      byte += length;
    }
  }
}

/** Ones in the low `length` bytes. */
function mask(length: number): number {
  return length >= 4 ? -1 : (1 << (length * 8)) - 1;
}
