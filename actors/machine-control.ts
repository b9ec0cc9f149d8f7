/**
 * The part of the shared state by which threads steer each other: whether vCPUs run, kicks, doorbells, the clock. The
 * machine's own thread has only this; every worker has all the rest behind it in the same arena.
 */
import { SharedArena } from "../shared/arena.js";
import { Doorbell } from "./host/eventfd.js";
import { KvmRun } from "./host/exit.js";
import type { Scratch } from "./host/kvm.js";
import type { Libc } from "./host/libc.js";
import { Kicks } from "./kicks.js";
import { Lifecycle } from "./lifecycle.js";
import { MachineClock } from "./machine-clock.js";
import type { MachineParts } from "./protocol.js";
import { TraceFlow } from "./trace-flow.js";

export class MachineControl {
  /** The rest of the shared state goes on here. */
  readonly arena: SharedArena;
  readonly clock: MachineClock;
  readonly lifecycle: Lifecycle;
  readonly runs: readonly KvmRun[];
  readonly kicks: Kicks;
  /** The device actor's bell and those of the disk actors, in the order of `parts.doorbells`. */
  readonly doorbells: readonly Doorbell[];
  /** Rung by a guest's event to a back end, as KVM's own eventfds are: same order. */
  readonly guestKicks: readonly Doorbell[];
  readonly traceFlow: TraceFlow;

  constructor(parts: MachineParts, libc: Libc, scratch: Scratch) {
    const { control, layout } = parts.memory;
    this.arena = new SharedArena(control.buffer, layout.arena);
    this.clock = new MachineClock(this.arena);
    this.lifecycle = new Lifecycle(this.arena);
    this.runs = Array.from(
      { length: parts.config.vcpus.count },
      (_, i) => new KvmRun(control.buffer, layout.runs + i * layout.runBytes, layout.runBytes),
    );
    this.kicks = new Kicks(this.arena, libc, this.runs);
    const rung = this.arena.int32(parts.doorbells.length * 2);
    const bell = (fd: number, i: number): Doorbell => new Doorbell(libc, scratch, fd, rung.subarray(i, i + 1));
    this.doorbells = parts.doorbells.map(bell);
    this.guestKicks = parts.kicks.map((fd, i) => bell(fd, parts.doorbells.length + i));
    this.traceFlow = new TraceFlow(this.arena.int32(1));
  }
}
