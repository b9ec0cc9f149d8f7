/**
 * Where each vCPU's time goes: running, runnable, blocked, offline; and the areas in which guests read it.
 *
 * [VCPU] xen.git xen/include/public/vcpu.h (struct vcpu_runstate_info)
 *
 * KVM fills the areas where it has RUNSTATE, with steal time that only it knows; it takes a vCPU as running while that waits
 * in a SCHEDOP_poll or SCHEDOP_block of ours. Without, a vCPU runs but for those waits: time spent halted or waiting for a
 * host CPU counts as running.
 * At any moment the four times, with the current state's share up to now, add up to the time since the start.
 */
import type { SharedArena } from "../shared/arena.js";
import { PAGE_SIZE } from "../shared/brand.js";
import type { Gfn, VcpuId } from "../shared/brand.js";
import { Lock } from "../shared/lock.js";
import type { GuestMemory } from "../shared/memory.js";
import { RunstateKind, runstateInfo } from "./abi/vcpu.js";
import type { RunstateInfoView } from "./abi/vcpu.js";
import type { DomainState } from "./domain.js";
import { VcpuRequest } from "./host.js";
import type { XenHost } from "./host.js";
import type { Overlays } from "./overlays.js";
import type { VcpuStates } from "./vcpu-states.js";

export interface RunstateParts {
  readonly arena: SharedArena;
  readonly domain: DomainState;
  readonly vcpuStates: Pick<VcpuStates, "isUp">;
  readonly memory: GuestMemory;
  readonly overlays: Overlays;
  readonly host: XenHost;
}

/** Fields of one vCPU: state, since when, times of the four states, and the area's two pieces (-1: none). */
const STATE = 0;
const ENTRY = 1;
const TIMES = 2;
const AREA = 6;
const AREA_REST = 7;
const STRIDE = 8;

const NOWHERE = -1;

/** XEN_RUNSTATE_UPDATE, bit 63 of state_entry_time, in its high half: the area is being changed. */
const UPDATE_HIGH = 0x8000_0000;

export interface RunstateSnapshot {
  readonly fields: readonly number[];
  /** System time at the snapshot. */
  readonly nowNs: number;
}

export class Runstate {
  readonly #domain: DomainState;
  readonly #vcpuStates: Pick<VcpuStates, "isUp">;
  readonly #memory: GuestMemory;
  readonly #overlays: Overlays;
  readonly #host: XenHost;
  readonly #lock: Lock;
  readonly #fields: Float64Array<SharedArrayBuffer>;
  readonly #bytes = new Uint8Array(runstateInfo.wide.size);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #wide: RunstateInfoView = runstateInfo.wide.view(this.#bytes.buffer);
  readonly #compat: RunstateInfoView = runstateInfo.compat.view(this.#bytes.buffer);

  constructor(parts: RunstateParts) {
    this.#domain = parts.domain;
    this.#vcpuStates = parts.vcpuStates;
    this.#memory = parts.memory;
    this.#overlays = parts.overlays;
    this.#host = parts.host;
    this.#lock = new Lock(parts.arena.int32(1));
    this.#fields = parts.arena.float64(parts.domain.vcpus * STRIDE);
  }

  /** vCPUs that are up run, the others are offline; nobody has an area. */
  reset(): void {
    const now = this.#host.systemTimeNs();
    this.#fields.fill(0);
    for (let vcpu = 0; vcpu < this.#domain.vcpus; vcpu++) {
      this.#set(vcpu, STATE, this.#vcpuStates.isUp(vcpu as VcpuId) ? RunstateKind.running : RunstateKind.offline);
      this.#set(vcpu, ENTRY, now);
      this.#set(vcpu, AREA, NOWHERE);
      this.#set(vcpu, AREA_REST, NOWHERE);
    }
  }

  /** `vcpu` changes to `state` now. */
  change(vcpu: VcpuId, state: number): void {
    this.#lock.acquire();
    try {
      const old = this.#get(vcpu, STATE);
      const now = Math.max(this.#host.systemTimeNs(), this.#get(vcpu, ENTRY));
      this.#set(vcpu, TIMES + old, this.#get(vcpu, TIMES + old) + now - this.#get(vcpu, ENTRY));
      this.#set(vcpu, STATE, state);
      this.#set(vcpu, ENTRY, now);
      this.#writeArea(vcpu);
    } finally {
      this.#lock.release();
    }
  }

  /** VCPUOP_get_runstate_info: fills `view` with times up to now. */
  read(vcpu: VcpuId, view: RunstateInfoView): void {
    this.#lock.acquire();
    try {
      this.#fill(vcpu, view, true);
    } finally {
      this.#lock.release();
    }
  }

  /**
   * VCPUOP_register_runstate_memory_area: `at` is where the area begins, `rest` where its part on the next page does (the
   * same page's continuation unless the guest's mapping jumps). -1 forgets it.
   */
  register(vcpu: VcpuId, at: number, rest: number): void {
    this.#lock.acquire();
    try {
      this.#set(vcpu, AREA, at);
      this.#set(vcpu, AREA_REST, rest);
      this.#writeArea(vcpu);
    } finally {
      this.#lock.release();
    }
    if (this.#host.kernel?.keepsRunstate === true) this.#host.request(vcpu, VcpuRequest.syncXen);
  }

  /** Area that KVM may keep: one run of guest-physical addresses. -1 when there is none, or it jumps. */
  areaGpa(vcpu: VcpuId): number {
    const at = this.#get(vcpu, AREA);
    const rest = this.#get(vcpu, AREA_REST);
    return at === NOWHERE || (rest !== NOWHERE && rest !== nextPage(at)) ? NOWHERE : at;
  }

  save(): RunstateSnapshot {
    return { fields: Array.from(this.#fields), nowNs: this.#host.systemTimeNs() };
  }

  restore(state: RunstateSnapshot): void {
    this.#fields.set(state.fields);
    const shift = this.#host.systemTimeNs() - state.nowNs;
    for (let vcpu = 0; vcpu < this.#domain.vcpus; vcpu++) this.#set(vcpu, ENTRY, this.#get(vcpu, ENTRY) + shift);
  }

  #fill(vcpu: VcpuId, view: RunstateInfoView, upToNow: boolean): void {
    const state = this.#get(vcpu, STATE);
    const entry = this.#get(vcpu, ENTRY);
    const extra = upToNow ? Math.max(0, this.#host.systemTimeNs() - entry) : 0;
    view.state = state;
    view.stateEntryTime = entry;
    view.running = this.#get(vcpu, TIMES) + (state === RunstateKind.running ? extra : 0);
    view.runnable = this.#get(vcpu, TIMES + 1) + (state === RunstateKind.runnable ? extra : 0);
    view.blocked = this.#get(vcpu, TIMES + 2) + (state === RunstateKind.blocked ? extra : 0);
    view.offline = this.#get(vcpu, TIMES + 3) + (state === RunstateKind.offline ? extra : 0);
  }

  /** Writes the area, unless KVM keeps it. With the guest's consent it is marked while it changes. */
  #writeArea(vcpu: VcpuId): void {
    const at = this.#get(vcpu, AREA);
    if (at === NOWHERE) return;
    if (this.#host.kernel?.keepsRunstate === true && this.areaGpa(vcpu) !== NOWHERE) return;
    const struct = this.#domain.longMode ? runstateInfo.wide : runstateInfo.compat;
    this.#fill(vcpu, this.#domain.longMode ? this.#wide : this.#compat, false);
    if (this.#domain.runstateUpdateFlag) {
      const high = struct.offsets.stateEntryTime + 4;
      const entryHigh = this.#view.getUint32(high, true);
      this.#view.setUint32(high, (entryHigh | UPDATE_HIGH) >>> 0, true);
      this.#store(vcpu, struct.size);
      this.#view.setUint32(high, entryHigh, true);
    }
    this.#store(vcpu, struct.size);
  }

  #store(vcpu: VcpuId, length: number): void {
    const at = this.#get(vcpu, AREA);
    const first = Math.min(length, PAGE_SIZE - (at % PAGE_SIZE));
    this.#storePiece(at, 0, first);
    if (first < length) this.#storePiece(this.#get(vcpu, AREA_REST), first, length);
  }

  /** Bytes [from, to) of the scratch area to guest-physical `at`; an area that is no longer memory is skipped. */
  #storePiece(at: number, from: number, to: number): void {
    const frame = Math.floor(at / PAGE_SIZE) as Gfn;
    const region = this.#overlays.page(frame) ?? this.#memory.region(at, to - from);
    if (region === undefined) return;
    for (let i = from; i < to; i++) region.bytes[at - region.gpa + i - from] = this.#bytes[i] ?? 0;
  }

  #get(vcpu: number, field: number): number {
    return this.#fields[vcpu * STRIDE + field] ?? 0;
  }

  #set(vcpu: number, field: number, value: number): void {
    this.#fields[vcpu * STRIDE + field] = value;
  }
}

/** First byte of the page after that of `at`. */
function nextPage(at: number): number {
  return (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE;
}
