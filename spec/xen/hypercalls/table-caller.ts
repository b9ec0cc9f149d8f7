/** A guest in this process that runs rows of the hypercall tables: its memory behind page tables, as a 64-bit or 32-bit kernel's. */
import assert from "node:assert/strict";
import type { VcpuId } from "../../../shared/brand.js";
import { VirtualMemory } from "../../../shared/virtual-memory.js";
import type { HypercallFrame } from "../../../xen/hypercalls/call.js";
import { FakeKernel } from "../fake-host.js";
import { Guest } from "../guest.js";
import { encode } from "./tables/encode.js";
import type { EncodedCall, Mode } from "./tables/encode.js";
import { FILLER, GUARD_BYTES } from "./tables/row.js";
import type { Call, Row } from "./tables/row.js";
import type { Place, Range, Value } from "./tables/value.js";
import { PAGE, Paging } from "./paging.js";

/** Who calls: a mode, what is in the upper halves of a 32-bit caller's registers, the transport. */
export interface Caller {
  readonly mode: Mode;
  /** H6 (XSA-454). */
  readonly garbage: boolean;
  readonly kernel: boolean;
}

export const CALLERS: readonly Caller[] = [
  { mode: 64, garbage: false, kernel: false },
  { mode: 32, garbage: false, kernel: false },
  { mode: 32, garbage: true, kernel: false },
  { mode: 64, garbage: false, kernel: true },
  { mode: 32, garbage: true, kernel: true },
];

const GARBAGE = 0xdead_beef;

class Frame implements HypercallFrame {
  vcpu = 0 as VcpuId;
  longMode = true;
  cpl = 0;
  number = 0;
  result = 0;
  again = false;
  garbage = false;
  readonly args = new BigUint64Array(6);

  lo(index: number): number {
    return Number((this.args[index] ?? 0n) & 0xffff_ffffn);
  }
  hi(index: number): number {
    return this.garbage ? GARBAGE : Number((this.args[index] ?? 0n) >> 32n);
  }
  set(index: number, high: number, low: number): void {
    this.args[index] = (BigInt(high) << 32n) | BigInt(low);
  }
}

/** Physical addresses of the places. Pages that are neighbours to the guest lie apart. */
const PHYSICAL: Readonly<Record<Place, number>> = {
  argument: 0x1_0100,
  data: 0x1_1100,
  spare: 0x2_0000,
  "other spare": 0x2_2000,
  boundary: 0x3_2000,
  cliff: 0x3_3000,
  hole: 0,
  "read-only": 0x3_6000,
  "not canonical": 0,
  nowhere: 0,
};
/** The page before the boundary. Behind it begins the page that ends at the cliff. */
const BEFORE_BOUNDARY = 0x3_8000;

/** The window's pages, in its order; undefined is the hole. */
const WINDOW = [BEFORE_BOUNDARY, PHYSICAL.boundary, undefined, PHYSICAL["read-only"]] as const;
const WINDOW_BASE: Readonly<Record<Mode, bigint>> = { 64: 0xffff_9000_0000_0000n, 32: 0xd000_0000n };
const NOT_CANONICAL = 0x8000_0000_0000_0000n;
/** Between RAM and the chips. */
const NOWHERE = 0xfe00_0000n;

export class TableCaller {
  /** Who calls. */
  readonly mode: Mode;
  readonly guest: Guest;
  readonly #frame = new Frame();
  readonly #vm: VirtualMemory;
  readonly #slots: bigint[] = [];

  constructor({ mode, garbage, kernel }: Caller) {
    this.guest = new Guest(kernel ? { kernel: new FakeKernel() } : {});
    this.mode = mode;
    this.#frame.longMode = mode === 64;
    this.#frame.garbage = garbage;
    const paging = new Paging(this.guest.ram, mode);
    for (const [page, physical] of WINDOW.entries()) {
      if (physical === undefined) continue;
      paging.map(WINDOW_BASE[mode] + BigInt(page * PAGE), physical, physical !== PHYSICAL["read-only"]);
    }
    this.#vm = new VirtualMemory(this.guest.memory, paging, this.guest.overlays);
  }

  /** Runs `row` in a new domain, and throws when it does not come out as it says. */
  run(row: Row): void {
    this.guest.xen.reset();
    this.guest.xen.latchLongMode(this.mode === 64);
    for (const call of row.first) this.#check(call, 0, "before it");
    this.#check(row.call, row.cpl ?? 0, "");
    for (const call of row.last) this.#check(call, 0, "after it");
  }

  #check(call: Call, cpl: number, when: string): void {
    const encoded = encode(call, this.mode);
    const where = `${this.mode}-bit${when === "" ? "" : `, hypercall ${call.number} ${when}`}`;
    const before = this.#prepare(encoded);
    this.#frame.number = call.number;
    this.#frame.cpl = cpl;
    this.#frame.args.fill(0n);
    for (const [i, given] of encoded.args.entries()) this.#frame.args[i] = this.#truncate(this.#value(given));
    do this.guest.xen.hypercall(this.#frame, this.#vm);
    while (this.#frame.again);
    this.#compare(BigInt(this.#frame.result), encoded.result, 64, `${where}: result`);
    if (this.#frame.result < 0 && !encoded.partial) {
      for (const [i, { at, size }] of encoded.areas.entries()) {
        assert.deepEqual(this.#bytes(at, size), before[i], `${where}: an error wrote to memory`);
      }
    }
    for (const { at, size, range } of encoded.checks) {
      this.#compare(this.#load(at, size), range, size * 8, `${where}: ${place(at)}`);
    }
    for (const { at, size } of encoded.areas) {
      const guard = this.#bytes({ base: at.base, plus: at.plus + BigInt(size) }, GUARD_BYTES);
      assert(
        guard.every((byte) => byte === FILLER),
        `${where}: more than ${size} bytes were written`,
      );
    }
    for (const { slot, at, size } of encoded.loads) this.#slots[slot] = this.#load(at, size);
    if (encoded.resultSlot >= 0) this.#slots[encoded.resultSlot] = BigInt(this.#frame.result);
  }

  /** Fills what the call may touch, and writes what it is to find; the areas' bytes. */
  #prepare(call: EncodedCall): readonly Uint8Array[] {
    for (const { at, size } of call.areas) this.#physical(at, size + GUARD_BYTES, (bytes) => bytes.fill(FILLER));
    for (const { at, size, value } of call.stores) {
      const number = this.#value(value);
      this.#physical(at, size, (bytes, done) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = Number((number >> BigInt(8 * (done + i))) & 0xffn);
      });
    }
    return call.areas.map(({ at, size }) => this.#bytes(at, size));
  }

  #compare(actual: bigint, { low, high }: Range, bits: number, what: string): void {
    const [from, to] = [low, high].map((bound) => BigInt.asIntN(bits, this.#value(bound)));
    const signed = BigInt.asIntN(bits, actual);
    assert(from !== undefined && to !== undefined);
    const wanted = from === to ? `${from}` : `${from} to ${to}`;
    assert(signed >= from && signed <= to, `${what} is ${signed}, not ${wanted}`);
  }

  #bytes(at: Value, length: number): Uint8Array {
    const parts: number[] = [];
    this.#physical(at, length, (bytes) => parts.push(...bytes));
    return Uint8Array.from(parts);
  }

  #load(at: Value, size: number): bigint {
    return this.#bytes(at, size).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
  }

  /** The memory behind `length` bytes at a place, page by page; what is not there is left out. */
  #physical(at: Value, length: number, use: (bytes: Uint8Array, done: number) => void): void {
    assert(at.base.kind === "address", "memory is named by its place");
    const { place } = at.base;
    if (place === "nowhere" || place === "not canonical") return;
    for (let done = 0; done < length; done++) {
      const offset = Number(at.plus) + done;
      const physical = physicalAt(place, offset);
      if (physical >= 0) use(this.guest.ram.bytes.subarray(physical, physical + 1), done);
    }
  }

  #value({ base, plus }: Value): bigint {
    return BigInt.asUintN(64, this.#base(base) + plus);
  }

  #base(base: Value["base"]): bigint {
    switch (base.kind) {
      case "none":
        return 0n;
      case "address":
        return this.#address(base.place);
      case "frame":
        return BigInt(PHYSICAL[base.place] / PAGE);
      case "saved":
        return this.#slots[base.slot] ?? 0n;
      case "now":
        return BigInt(this.guest.host.nowNs);
      case "vcpu":
        return base.other ? 1n : 0n;
    }
  }

  #address(place: Place): bigint {
    const page = { boundary: 1, cliff: 2, hole: 2, "read-only": 3 }[place as string];
    if (page !== undefined) return WINDOW_BASE[this.mode] + BigInt(page * PAGE);
    if (place === "not canonical") return NOT_CANONICAL;
    return place === "nowhere" ? NOWHERE : BigInt(PHYSICAL[place]);
  }

  #truncate(number: bigint): bigint {
    return this.mode === 64 ? number : BigInt.asUintN(32, number);
  }
}

/** Physical address of the byte at `offset` from a place, -1 where there is no memory. */
function physicalAt(place: Place, offset: number): number {
  if (place === "hole") return -1;
  if (place === "cliff") return offset < 0 ? PHYSICAL.boundary + PAGE + offset : -1;
  if (place === "boundary" && offset < 0) return BEFORE_BOUNDARY + PAGE + offset;
  return PHYSICAL[place] + offset;
}

function place({ base, plus }: Value): string {
  return base.kind === "address" ? `${base.place} + ${plus}` : base.kind;
}
