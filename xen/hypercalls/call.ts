/** One hypercall: who calls, in which mode, with what; and the declarations of what there is to call. */
import type { VcpuId } from "../../shared/brand.js";
import { GuestMemory } from "../../shared/memory.js";
import { VirtualMemory } from "../../shared/virtual-memory.js";
import type { StructView } from "../../shared/struct.js";
import type { DualStruct } from "../abi/dual-struct.js";
import { Errno } from "../abi/errno.js";
import { DOMID_BACKEND, DOMID_SELF } from "../abi/xen.js";
import type { XenParts } from "../parts.js";

/** A hypercall as a vCPU's thread hands it in; the same object each time. */
export interface HypercallFrame {
  readonly vcpu: VcpuId;
  /** Whether the caller runs 64-bit code: which registers hold arguments, and which layouts it means. */
  readonly longMode: boolean;
  readonly cpl: number;
  readonly number: number;
  /** Halves of argument `index`, 0 to 5. High halves of a 32-bit caller are not looked at. */
  lo(index: number): number;
  hi(index: number): number;
  /** Set to the signed result. */
  result: number;
  /**
   * Set to true when the call has not come to its end: the guest is to make it again, with the arguments that
   * {@link set} was given, and may take interrupts before it does. There is no result then.
   */
  again: boolean;
  /** Argument `index`, 0 to 5, of the call that the guest makes again. */
  set(index: number, high: number, low: number): void;
}

export const ARGUMENTS = 6;

/** How far a call has come with an array of which the guest gave the address and the count, in arguments of those numbers. */
export interface Progress {
  readonly pointer: number;
  readonly bytes: number;
  readonly count: number;
  readonly done: number;
}

/** High half of the guest address whose low half, after an addition, is `low`: that may be above 2^32. Wraps at 2^64. */
export function carried(high: number, low: number): number {
  return (high + Math.floor(low / 0x1_0000_0000)) >>> 0;
}

/** The call at hand; one object per thread, filled anew each time. */
export class HypercallCall {
  vcpu = 0 as VcpuId;
  longMode = true;
  number = 0;
  vm: VirtualMemory = new VirtualMemory(new GuestMemory([]), { load: () => undefined });
  /** Inside a multicall, which must not nest. */
  inMulticall = false;
  /**
   * How many of its arguments, from the first, a handler has set anew because it has more to do than one exit may take: the
   * guest makes the call again with them (a continuation, to Xen). 0 when the call is done.
   */
  again = 0;
  /** Room for what a handler copies from the guest beside its argument: one page. */
  readonly buffer = new Uint8Array(4096);
  readonly bufferView = new DataView(this.buffer.buffer);
  readonly #low = new Uint32Array(ARGUMENTS);
  readonly #high = new Uint32Array(ARGUMENTS);

  /** Takes over what `frame` says. High halves of a 32-bit caller are garbage (XSA-454) and dropped here. */
  start(frame: HypercallFrame, vm: VirtualMemory): void {
    this.vcpu = frame.vcpu;
    this.longMode = frame.longMode;
    this.number = frame.number;
    this.vm = vm;
    this.inMulticall = false;
    this.again = 0;
    for (let i = 0; i < ARGUMENTS; i++) this.set(i, frame.hi(i), frame.lo(i));
  }

  set(index: number, high: number, low: number): void {
    this.#low[index] = low;
    this.#high[index] = this.longMode ? high : 0;
  }

  /** The guest makes the call again for the rest of an array: what is done of it, and where that stands. */
  goOn(done: Progress): void {
    const low = this.lo(done.pointer) + done.bytes;
    this.set(done.pointer, carried(this.hi(done.pointer), low), low >>> 0);
    this.set(done.count, 0, this.lo(done.count) - done.done);
    this.again = Math.max(done.pointer, done.count) + 1;
  }

  lo(index: number): number {
    return this.#low[index] ?? 0;
  }

  hi(index: number): number {
    return this.#high[index] ?? 0;
  }

  /** Argument as an unsigned number; rounded above 2^53. */
  value(index: number): number {
    return this.hi(index) * 0x1_0000_0000 + this.lo(index);
  }

  /** Whether the pointer in argument `index` is null. */
  isNull(index: number): boolean {
    return this.lo(index) === 0 && this.hi(index) === 0;
  }
}

/** What a handler does with its argument: read it, fill it, or both. It is stored back when the result is not negative. */
export type Direction = "in" | "out" | "inout";

/** One sub-operation: a row of a family's table. */
export interface SubOperation {
  readonly number: number;
  /** As the header spells it. */
  readonly name: string;
  /** Layout behind the pointer; undefined when there is none, or the handler deals with it. */
  readonly argument: DualStruct<unknown> | undefined;
  readonly direction: Direction;
  /** What it answers when its argument cannot be fetched; -EFAULT unless said. */
  readonly fault?: (call: HypercallCall) => number;
  readonly run: (xen: XenParts, call: HypercallCall, argument: never) => number;
}

/** A sub-operation with a struct behind its pointer. */
export function operation<F>(
  row: Pick<SubOperation, "number" | "name" | "fault">,
  direction: Direction,
  argument: DualStruct<F>,
  run: (xen: XenParts, call: HypercallCall, argument: StructView<F>) => number,
): SubOperation {
  return {
    ...row,
    direction,
    argument: argument,
    run: run,
  };
}

/** A sub-operation that takes its argument, if any, itself. */
export function bareOperation(
  number: number,
  name: string,
  run: (xen: XenParts, call: HypercallCall) => number,
): SubOperation {
  return { number, name, argument: undefined, direction: "in", run };
}

/** One hypercall: a row of the table. */
export interface Hypercall {
  readonly number: number;
  readonly name: string;
  /** For those with sub-operations: the number is in argument 0, the pointer in argument `pointer`. */
  readonly operations?: readonly SubOperation[];
  readonly pointer?: number;
  /** Bits of argument 0 that are the sub-operation's number; all 32 unless said. */
  readonly commandMask?: number;
  /** Runs before a sub-operation: 0, or the error that all of them answer. */
  readonly guard?: (xen: XenParts, call: HypercallCall) => number;
  /** For those without. */
  readonly run?: (xen: XenParts, call: HypercallCall) => number;
}

/** Whether `domid` means the caller's own domain. */
export function isSelf(xen: XenParts, domid: number): boolean {
  return domid === DOMID_SELF || domid === xen.config.domid;
}

/** The error for a `domid` that is not the caller's: the back ends' domain is there, but not for it; others are not there. */
export function strangerError(domid: number): number {
  return domid === DOMID_BACKEND ? Errno.EPERM : Errno.ESRCH;
}

/** The same where a guest that means its own domain by its number is refused as any other; DOMID_SELF is no number. */
export function numberError(xen: XenParts, domid: number): number {
  return domid === xen.config.domid ? Errno.EPERM : strangerError(domid);
}
