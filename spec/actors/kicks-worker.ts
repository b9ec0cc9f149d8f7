/** Plays vCPU 1: goes in and out of the guest, and says in `state` while it is inside. */
import { workerData } from "node:worker_threads";
import { Kicks } from "../../actors/kicks.js";
import { KvmRun } from "../../actors/host/exit.js";
import type { Libc } from "../../actors/host/libc.js";
import { SharedArena } from "../../shared/arena.js";
import { runOffset } from "../support/kvm-reference.js";

const { arena, areas, areaBytes, state } = workerData as {
  readonly arena: SharedArrayBuffer;
  readonly areas: SharedArrayBuffer;
  readonly areaBytes: number;
  /** [inside, stop, times inside] */
  readonly state: Int32Array<SharedArrayBuffer>;
};
const runs = [0, 1].map((vcpu) => new KvmRun(areas, vcpu * areaBytes, areaBytes));
const kicks = new Kicks(new SharedArena(arena), { fast: () => 0 } as unknown as Libc, runs);
const immediateExit = areaBytes + runOffset("immediateExit");
const flags = new Uint8Array(areas);

while (Atomics.load(state, 1) === 0) {
  kicks.enter(1);
  Atomics.store(state, 0, 1);
  Atomics.add(state, 2, 1);
  // As KVM_RUN does: until somebody wants it to return.
  while (Atomics.load(flags, immediateExit) === 0 && Atomics.load(state, 1) === 0);
  Atomics.store(state, 0, 0);
  kicks.leave(1);
  kicks.clear(1);
  kicks.settled(1);
}
