/** The event-channel ports of the domain: what each leads to. Words in shared memory, touched under the port lock only. */
import type { SharedArena } from "../shared/arena.js";
import type { EvtchnPort } from "../shared/brand.js";
import { Lock } from "../shared/lock.js";
import { EvtchnStat } from "./abi/event-channel.js";
import { FIFO_CHANNELS } from "./abi/evtchn-fifo.js";

/** What a port is. */
export const PortState = {
  free: 0,
  /** Waits for its remote end; `value` is the remote domain. */
  unbound: 1,
  /** Leads to another port of this domain, `value`. */
  loopback: 2,
  /** Leads to a back end of ours: `owner` is its thread, `value` is 1 for the store's and the console's port. */
  backend: 3,
  /** As {@link backend}, but the guest has closed its end. It can bind again; the number is not given to others. */
  backendClosed: 4,
  /** `value` is the physical interrupt, `owner` 1 when the guest means a level-triggered one. */
  pirq: 5,
  /** `value` is the virtual interrupt. */
  virq: 6,
  ipi: 7,
} as const;
export type PortState = (typeof PortState)[keyof typeof PortState];

/** Routes, see ROUTE. */
export const ROUTE_BACKEND = 1;
export const ROUTE_VCPU = 2;

const STATUS = [
  EvtchnStat.closed,
  EvtchnStat.unbound,
  EvtchnStat.interdomain,
  EvtchnStat.interdomain,
  EvtchnStat.closed,
  EvtchnStat.pirq,
  EvtchnStat.virq,
  EvtchnStat.ipi,
] as const satisfies { readonly [S in PortState]: number };

const STATE = 0;
const VCPU = 1;
const VALUE = 2;
const OWNER = 3;
/** What KVM does on the guest's sends: 0 nothing, 1 wakes the back end, 2 + vCPU raises the port. Not part of the port. */
const ROUTE = 4;
const STRIDE = 5;

export class PortTable {
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** Ports at or above it have never been used since the last {@link clear}: most guests use a few dozen of thousands. */
  readonly #end: Int32Array<SharedArrayBuffer>;
  /** Ports from 1 to this are in use: where a search for a free one may start. */
  readonly #used: Int32Array<SharedArrayBuffer>;

  /** The port lock: a leaf, for this table and the bits of events. */
  readonly lock: Lock;

  constructor(arena: SharedArena) {
    this.lock = new Lock(arena.int32(1));
    this.#words = arena.int32(FIFO_CHANNELS * STRIDE);
    this.#end = arena.int32(1);
    this.#used = arena.int32(1);
  }

  /** No port at or above it is in use. */
  get end(): number {
    return this.#end[0] ?? 0;
  }

  /** Runs `action` under the port lock. */
  locked<T>(action: () => T): T {
    this.lock.acquire();
    try {
      return action();
    } finally {
      this.lock.release();
    }
  }

  state(port: EvtchnPort): PortState {
    return (this.#words[port * STRIDE + STATE] ?? PortState.free) as PortState;
  }

  /** As EVTCHNOP_status says it. */
  status(port: EvtchnPort): number {
    return STATUS[this.state(port)];
  }

  vcpu(port: EvtchnPort): number {
    return this.#words[port * STRIDE + VCPU] ?? 0;
  }

  value(port: EvtchnPort): number {
    return this.#words[port * STRIDE + VALUE] ?? 0;
  }

  owner(port: EvtchnPort): number {
    return this.#words[port * STRIDE + OWNER] ?? 0;
  }

  route(port: EvtchnPort): number {
    return this.#words[port * STRIDE + ROUTE] ?? 0;
  }

  setRoute(port: EvtchnPort, route: number): void {
    this.#words[port * STRIDE + ROUTE] = route;
  }

  /** Makes `port` what `state` says. Events go to vCPU 0 until told otherwise. */
  set(port: EvtchnPort, state: PortState, value: number, owner = 0): void {
    if (port >= this.end) this.#end[0] = port + 1;
    if (state === PortState.free && port <= (this.#used[0] ?? 0)) this.#used[0] = port - 1;
    this.#words[port * STRIDE + STATE] = state;
    this.#words[port * STRIDE + VCPU] = 0;
    this.#words[port * STRIDE + VALUE] = value;
    this.#words[port * STRIDE + OWNER] = owner;
  }

  /** As {@link set}, but the vCPU stays. */
  change(port: EvtchnPort, state: PortState, value: number, owner = 0): void {
    const vcpu = this.vcpu(port);
    this.set(port, state, value, owner);
    this.setVcpu(port, vcpu);
  }

  setVcpu(port: EvtchnPort, vcpu: number): void {
    this.#words[port * STRIDE + VCPU] = vcpu;
  }

  /** The lowest free port below `limit`, or 0. */
  findFree(limit: number): EvtchnPort {
    let port = (this.#used[0] ?? 0) + 1;
    while (port < limit && this.#words[port * STRIDE + STATE] !== PortState.free) port++;
    if (port >= limit) return 0 as EvtchnPort;
    this.#used[0] = port - 1;
    return port as EvtchnPort;
  }

  clear(): void {
    this.#words.fill(0, 0, this.end * STRIDE);
    this.#end[0] = 0;
    this.#used[0] = 0;
  }

  save(): readonly number[] {
    return Array.from(this.#words.subarray(0, this.end * STRIDE));
  }

  restore(words: readonly number[]): void {
    this.clear();
    this.#words.set(words);
    this.#end[0] = words.length / STRIDE;
    for (let port = 0; port < this.end; port++) this.setRoute(port as EvtchnPort, 0);
  }
}
