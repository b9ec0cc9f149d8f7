/**
 * 2-level event channels: a pending and a mask bit per port in shared_info, and per vCPU a selector of their words.
 *
 * [XEN] xen.git xen/include/public/xen.h (struct shared_info)
 */
import type { EvtchnPort, VcpuId } from "../shared/brand.js";
import type { DomainState } from "./domain.js";

export class TwoLevelEvents {
  readonly #domain: DomainState;

  constructor(domain: DomainState) {
    this.#domain = domain;
  }

  /** Sets the pending bit of `port`; true when it was clear. */
  setPending(port: EvtchnPort): boolean {
    const bit = 1 << (port & 31);
    return (Atomics.or(this.#domain.sharedInfo.words, this.#pendingWord(port), bit) & bit) === 0;
  }

  clearPending(port: EvtchnPort): void {
    Atomics.and(this.#domain.sharedInfo.words, this.#pendingWord(port), ~(1 << (port & 31)));
  }

  pending(port: EvtchnPort): boolean {
    return ((Atomics.load(this.#domain.sharedInfo.words, this.#pendingWord(port)) >>> (port & 31)) & 1) !== 0;
  }

  masked(port: EvtchnPort): boolean {
    return ((Atomics.load(this.#domain.sharedInfo.words, this.#maskWord(port)) >>> (port & 31)) & 1) !== 0;
  }

  /** True when the mask was set. */
  clearMask(port: EvtchnPort): boolean {
    const bit = 1 << (port & 31);
    return (Atomics.and(this.#domain.sharedInfo.words, this.#maskWord(port), ~bit) & bit) !== 0;
  }

  /** Marks a pending port's word in the selector of `vcpu`, unless it is masked. True when `vcpu` must be told. */
  link(port: EvtchnPort, vcpu: VcpuId): boolean {
    if (this.masked(port)) return false;
    const info = this.#domain.vcpuInfo(vcpu);
    if (info === undefined) return false;
    const { pendingSelector, selectorShift } = this.#domain.layout;
    const selected = port >>> selectorShift;
    const bit = 1 << (selected & 31);
    const word = ((this.#domain.vcpuInfoOffset + pendingSelector) >>> 2) + (selected >>> 5);
    return (Atomics.or(info.words, word, bit) & bit) === 0;
  }

  /** evtchn_pending_sel of `vcpu`; undefined where it has no vcpu_info. */
  selector(vcpu: VcpuId): bigint | undefined {
    const info = this.#domain.vcpuInfo(vcpu);
    if (info === undefined) return undefined;
    const { pendingSelector, selectorShift } = this.#domain.layout;
    const at = this.#domain.vcpuInfoOffset + pendingSelector;
    return selectorShift === 6 ? info.view.getBigUint64(at, true) : BigInt(info.view.getUint32(at, true));
  }

  /** Marks all of the selector of `vcpu`. */
  selectAll(vcpu: VcpuId): void {
    const info = this.#domain.vcpuInfo(vcpu);
    if (info === undefined) return;
    const { pendingSelector, selectorShift } = this.#domain.layout;
    const word = (this.#domain.vcpuInfoOffset + pendingSelector) >>> 2;
    Atomics.store(info.words, word, -1);
    if (selectorShift === 6) Atomics.store(info.words, word + 1, -1);
  }

  #pendingWord(port: EvtchnPort): number {
    return (this.#domain.layout.pending >>> 2) + (port >>> 5);
  }

  #maskWord(port: EvtchnPort): number {
    return (this.#domain.layout.mask >>> 2) + (port >>> 5);
  }
}
