/**
 * The dispatch table: every hypercall that we know, and the way from a number to its handler.
 *
 * A call fetches the argument's struct once, into a buffer of the row's own, hands the handler a view, and stores it back
 * when the row says so and the result is not negative. Nothing is allocated on the way.
 */
import type { StructView } from "../../shared/struct.js";
import { LogLimiter } from "../../shared/log.js";
import { hex64, UNTRACED } from "../../shared/trace.js";
import type { HypercallEvent, TracePoint } from "../../shared/trace.js";
import { Errno } from "../abi/errno.js";
import type { XenParts } from "../parts.js";
import type { Hypercall, HypercallCall, SubOperation } from "./call.js";
import { eventChannelOp } from "./event-channel-op.js";
import { grantTableOp } from "./grant-table-op.js";
import { hvmOp } from "./hvm-op.js";
import { memoryOp } from "./memory-op.js";
import { multicall } from "./multicall.js";
import { physdevOp } from "./physdev-op.js";
import { consoleIo, refused, setTimerOp, vmAssist } from "./plain.js";
import { schedOp } from "./sched-op.js";
import { vcpuOp } from "./vcpu-op.js";
import { xenVersion } from "./xen-version.js";

/** All hypercalls, in no order. Those that are not here answer -ENOSYS. */
export const HYPERCALLS: readonly Hypercall[] = [
  memoryOp,
  setTimerOp,
  xenVersion,
  consoleIo,
  grantTableOp,
  vmAssist,
  vcpuOp,
  schedOp,
  eventChannelOp,
  physdevOp,
  hvmOp,
  ...refused,
];

/** Numbers are below this; the hypercall page has no room for more. */
const NUMBERS = 128;
const SUB_NUMBERS = 64;

/** A sub-operation with the buffer that its argument is fetched into, seen in both layouts. */
interface Bound {
  readonly row: SubOperation;
  readonly bytes: Uint8Array;
  readonly wide: StructView<unknown> | undefined;
  readonly compat: StructView<unknown> | undefined;
  readonly wideSize: number;
  readonly compatSize: number;
}

function bind(row: SubOperation): Bound {
  const wideSize = row.argument?.wide.size ?? 0;
  const compatSize = row.argument?.compat.size ?? 0;
  const bytes = new Uint8Array(Math.max(wideSize, compatSize));
  const wide = row.argument?.wide.view(bytes.buffer);
  const compat = row.argument?.compat.view(bytes.buffer);
  return { row, bytes, wide, compat, wideSize, compatSize };
}

export class HypercallTable {
  readonly #xen: XenParts;
  readonly #trace: TracePoint<HypercallEvent>;
  readonly #unknown = new LogLimiter(1);
  readonly #rows: (Hypercall | undefined)[] = new Array<Hypercall | undefined>(NUMBERS).fill(undefined);
  readonly #bound: (readonly (Bound | undefined)[])[] = new Array<readonly Bound[]>(NUMBERS).fill([]);

  constructor(xen: XenParts, trace: TracePoint<HypercallEvent> = UNTRACED) {
    this.#xen = xen;
    this.#trace = trace;
    for (const row of [...HYPERCALLS, multicall((call) => this.dispatch(call))]) {
      if (this.#rows[row.number] !== undefined) throw new Error(`Cannot list hypercall ${row.number} twice`);
      this.#rows[row.number] = row;
      const bound = new Array<Bound | undefined>(SUB_NUMBERS).fill(undefined);
      for (const operation of row.operations ?? []) bound[operation.number] = bind(operation);
      this.#bound[row.number] = bound;
    }
  }

  /** Runs `call` and answers its result. */
  dispatch(call: HypercallCall): number {
    return this.#trace.hasSubscribers ? this.#runTraced(call) : this.#run(call);
  }

  /** A multicall leaves its last entry's arguments in `call`: what was asked is noted first. */
  #runTraced(call: HypercallCall): number {
    const { vcpu, number } = call;
    const name = this.#nameOf(call);
    const args = [0, 1, 2].map((i) => hex64(call.hi(i), call.lo(i))).join(" ");
    const result = this.#run(call);
    this.#trace.publish({ vcpu, number, name, args, result });
    return result;
  }

  #nameOf(call: HypercallCall): string {
    const row = this.#rows[call.number];
    if (row === undefined) return `hypercall ${call.number}`;
    if (row.run !== undefined) return row.name;
    const command = (call.lo(0) & (row.commandMask ?? -1)) >>> 0;
    return `${row.name}/${this.#bound[call.number]?.[command]?.row.name ?? command}`;
  }

  #run(call: HypercallCall): number {
    const row = this.#rows[call.number];
    if (row === undefined) return this.#refuse(call, "hypercall");
    if (row.run !== undefined) return row.run(this.#xen, call);
    const command = call.lo(0) & (row.commandMask ?? -1);
    const bound = this.#bound[call.number]?.[command >>> 0];
    const refusal = row.guard?.(this.#xen, call) ?? 0;
    if (refusal !== 0) return refusal;
    if (bound === undefined) return this.#refuse(call, row.name);
    return this.#runOperation(call, bound, row.pointer ?? 1);
  }

  #runOperation(call: HypercallCall, bound: Bound, pointer: number): number {
    const { row, bytes } = bound;
    if (row.argument === undefined) return row.run(this.#xen, call, undefined as never);
    const size = call.longMode ? bound.wideSize : bound.compatSize;
    const high = call.hi(pointer);
    const low = call.lo(pointer);
    if (row.direction === "out") bytes.fill(0);
    else if (!call.vm.read(high, low, bytes, size)) return row.fault?.(call) ?? Errno.EFAULT;
    const result = row.run(this.#xen, call, (call.longMode ? bound.wide : bound.compat) as never);
    if (row.direction === "in" || result < 0) return result;
    return call.vm.write(high, low, bytes, size) ? result : Errno.EFAULT;
  }

  /** -ENOSYS, logged once for each number and sub-operation. */
  #refuse(call: HypercallCall, what: string): number {
    const command = what === "hypercall" ? "" : `, ${call.lo(0)}`;
    if (this.#unknown.allow(`${call.number}${command}`)) {
      this.#xen.host.log.warn(`Unknown ${what} ${call.number}${command}`, {
        vcpu: call.vcpu,
        mode: call.longMode ? 64 : 32,
        arguments: [0, 1, 2].map((i) => `0x${call.value(i).toString(16)}`).join(" "),
      });
    }
    return Errno.ENOSYS;
  }
}
