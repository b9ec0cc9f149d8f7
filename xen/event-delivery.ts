/**
 * The last step of an event: from a port to the vCPU's upcall. Bitmaps or queues, then the way that the guest chose to be
 * told: a vector of its own per vCPU, one vector for all, or an interrupt line (GSI or PCI INTx).
 *
 * [XEN] xen.git xen/include/public/xen.h (struct shared_info); [PARAMS] hvm/params.h (HVM_PARAM_CALLBACK_IRQ)
 *
 * Order, ours: pending bit, then mask, then selector bit (FIFO: queue, ready bit), then evtchn_upcall_pending, then the interrupt. The guest clears
 * evtchn_upcall_pending first and looks for bits afterwards, so an event is seen by the running handler or raises anew.
 * Lock order: the port lock, then nothing of ours; the callback lock, then the devices' locks.
 */
import type { SharedArena } from "../shared/arena.js";
import type { EvtchnPort, VcpuId, Vector } from "../shared/brand.js";
import { Lock } from "../shared/lock.js";
import { CallbackType } from "./abi/hvm.js";
import { UPCALL_PENDING } from "./abi/shared-info.js";
import type { DomainState } from "./domain.js";
import { VcpuRequest } from "./host.js";
import type { XenHost } from "./host.js";
import type { FifoEvents } from "./fifo-events.js";
import { TwoLevelEvents } from "./two-level-events.js";

/** How the guest wants to be told. */
const Callback = { none: 0, gsi: 1, pciIntx: 2, vector: 3 } as const;

/** Words: the callback, the line that it holds up, and the vCPUs that poll. */
const CALLBACK = 0;
const CALLBACK_VALUE = 1;
/** GSI that is asserted now, 0 for none. */
const ASSERTED_GSI = 2;
/** Number of vCPUs in SCHEDOP_poll or SCHEDOP_block: nearly always 0, so that senders look no further. */
const POLLERS = 3;
const WORDS = 4;

/** What a vCPU polls: nothing, any event, or one port. */
const POLL_NOTHING = 0;
const POLL_ANY = -1;

/** GSIs that the machine has. */
const GSIS = 24;

export interface DeliverySnapshot {
  readonly callback: number;
  readonly value: number;
}

export class EventDelivery {
  readonly #domain: DomainState;
  readonly #fifo: FifoEvents;
  readonly #twoLevel: TwoLevelEvents;
  readonly #host: XenHost;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #polls: Int32Array<SharedArrayBuffer>;
  readonly #lineLock: Lock;

  constructor(arena: SharedArena, domain: DomainState, fifo: FifoEvents, host: XenHost) {
    this.#domain = domain;
    this.#fifo = fifo;
    this.#twoLevel = new TwoLevelEvents(domain);
    this.#host = host;
    this.#words = arena.int32(WORDS);
    this.#polls = arena.int32(domain.vcpus);
    this.#lineLock = new Lock(arena.int32(1));
  }

  /** No callback, no line up, nobody polls. */
  reset(): void {
    this.#lowerLine();
    this.#words.fill(0);
    this.#polls.fill(POLL_NOTHING);
    this.#host.kernel?.setCallbackVector(0 as Vector);
  }

  /**
   * Whether KVM itself sets bits and raises the upcall of `vcpu`: it can only do so where the guest sees vcpu_info, and
   * only by vector, and it knows nothing of FIFO channels.
   */
  kernelDelivers(vcpu: VcpuId): boolean {
    const { kernel } = this.#host;
    if (kernel?.sendsEvents !== true || this.#fifo.active || this.#domain.vcpuInfoGpa(vcpu) < 0) return false;
    return this.#domain.upcallVector(vcpu) !== 0 || Atomics.load(this.#words, CALLBACK) === Callback.vector;
  }

  /** What holds the bits of each port now: the guest's choice. */
  get #bits(): TwoLevelEvents | FifoEvents {
    return this.#fifo.active ? this.#fifo : this.#twoLevel;
  }

  /**
   * Sets the pending bit of `port` and what follows from it. True when `vcpu` must be told: call {@link upcall} then,
   * with no lock held. Never with {@link kernelDelivers}.
   */
  mark(port: EvtchnPort, vcpu: VcpuId): boolean {
    if (!this.#bits.setPending(port)) return false;
    const told = this.#select(port, vcpu);
    if (Atomics.load(this.#words, POLLERS) !== 0) this.#wakePollers(port);
    const { kernel } = this.#host;
    // KVM polls whatever the callback is, but not beside FIFO channels.
    if (kernel?.sendsEvents === true && !this.#fifo.active) kernel.wakePolls();
    return told;
  }

  /** After `port` was unmasked, or bound to another vCPU: tells `vcpu` of an event that waits. As {@link mark}. */
  markIfPending(port: EvtchnPort, vcpu: VcpuId): boolean {
    return this.pending(port) && this.#select(port, vcpu);
  }

  /** EVTCHNOP_unmask's part: clears the mask bit. True when it was set. */
  clearMask(port: EvtchnPort): boolean {
    return this.#bits.clearMask(port);
  }

  clearPending(port: EvtchnPort): void {
    this.#bits.clearPending(port);
  }

  pending(port: EvtchnPort): boolean {
    return this.#bits.pending(port);
  }

  masked(port: EvtchnPort): boolean {
    return this.#bits.masked(port);
  }

  /** evtchn_upcall_pending of `vcpu`. */
  upcallPending(vcpu: VcpuId): boolean {
    const info = this.#domain.vcpuInfo(vcpu);
    return info !== undefined && Atomics.load(info.bytes, this.#domain.vcpuInfoOffset + UPCALL_PENDING) !== 0;
  }

  /** evtchn_pending_sel of `vcpu`; undefined where it has no vcpu_info, and with FIFO channels, which do without. */
  selector(vcpu: VcpuId): bigint | undefined {
    return this.#fifo.active ? undefined : this.#twoLevel.selector(vcpu);
  }

  /** Marks every selector bit of `vcpu`, after its vcpu_info moved, so that nothing is lost; the guest copes with it. */
  markAll(vcpu: VcpuId): void {
    const info = this.#domain.vcpuInfo(vcpu);
    if (info === undefined) return;
    if (!this.#fifo.active) this.#twoLevel.selectAll(vcpu);
    Atomics.store(info.bytes, this.#domain.vcpuInfoOffset + UPCALL_PENDING, 1);
    this.upcall(vcpu);
  }

  /** Raises the interrupt that makes `vcpu` look at its vcpu_info. Call with no lock held. */
  upcall(vcpu: VcpuId): void {
    if (Atomics.load(this.#words, POLLERS) !== 0 && Atomics.load(this.#polls, vcpu) !== POLL_NOTHING) {
      this.#host.wakePoll(vcpu);
    }
    if (this.#domain.upcallVector(vcpu) !== 0) {
      // A processor that comes up has its LAPIC off for a while; Xen tells it as it switches that on, which we do not see.
      if (!this.upcallByOwnVector(vcpu)) this.#host.request(vcpu, VcpuRequest.upcall);
      return;
    }
    switch (Atomics.load(this.#words, CALLBACK)) {
      case Callback.vector:
        // The rest is done on the way into the guest: by the vCPU's thread, or by KVM, which then looks at vcpu_info.
        this.#host.request(vcpu, VcpuRequest.upcall);
        break;
      case Callback.gsi:
      case Callback.pciIntx:
        if (vcpu === 0) this.#raiseLine();
        break;
      default:
    }
  }

  /**
   * Tells `vcpu` of an event that waits by the vector of its own, if it has one. False when its LAPIC did not take it: to be
   * tried again.
   */
  upcallByOwnVector(vcpu: VcpuId): boolean {
    const own = this.#domain.upcallVector(vcpu);
    return own === 0 || !this.upcallPending(vcpu) || this.#host.injectVector(vcpu, own as Vector);
  }

  /**
   * Userspace transport: the vector to inject into `vcpu` now that it can take interrupts, 0 for none. It goes past the
   * LAPIC and needs no EOI; it is given again as long as evtchn_upcall_pending stays set, as Xen does.
   */
  upcallVector(vcpu: VcpuId): number {
    if (Atomics.load(this.#words, CALLBACK) !== Callback.vector || this.#domain.upcallVector(vcpu) !== 0) return 0;
    return this.upcallPending(vcpu) ? Atomics.load(this.#words, CALLBACK_VALUE) : 0;
  }

  /** Whether the callback's line is up: cheap, for vCPU 0's loop. */
  callbackAsserted(): boolean {
    return Atomics.load(this.#words, ASSERTED_GSI) !== 0;
  }

  /** Lowers the callback's line when vCPU 0 has taken its events, and follows a PCI line that was routed elsewhere. */
  callbackLineCheck(): void {
    if (!this.callbackAsserted()) return;
    this.#lineLock.acquire();
    try {
      const asserted = Atomics.load(this.#words, ASSERTED_GSI);
      const wanted = this.upcallPending(0 as VcpuId) ? this.#callbackGsi() : 0;
      if (asserted === wanted) return;
      if (asserted !== 0) this.#host.setCallbackGsi(asserted, 0);
      if (wanted !== 0) this.#host.setCallbackGsi(wanted, 1);
      Atomics.store(this.#words, ASSERTED_GSI, wanted);
    } finally {
      this.#lineLock.release();
    }
  }

  /** HVM_PARAM_CALLBACK_IRQ in halves: anything that is not a way we know switches the callback off. */
  setCallback(high: number, low: number): void {
    this.#lowerLine();
    const type = high >>> 24;
    let callback: number = Callback.none;
    let value = low >>> 0;
    if (type === CallbackType.gsi && (low & 0xff) !== 0 && (low & 0xff) < GSIS) {
      callback = Callback.gsi;
      value = low & 0xff;
    } else if (type === CallbackType.pciIntx) {
      callback = Callback.pciIntx;
    } else if (type === CallbackType.vector) {
      callback = Callback.vector;
      value = low & 0xff;
    }
    Atomics.store(this.#words, CALLBACK, Callback.none);
    Atomics.store(this.#words, CALLBACK_VALUE, value | 0);
    Atomics.store(this.#words, CALLBACK, callback);
    this.#host.kernel?.setCallbackVector((callback === Callback.vector ? value : 0) as Vector);
    for (let vcpu = 0; vcpu < this.#domain.vcpus; vcpu++) this.#reraise(vcpu as VcpuId);
  }

  /** HVMOP_set_evtchn_upcall_vector: takes effect for an event that waits, too. */
  setUpcallVector(vcpu: VcpuId, vector: Vector): void {
    this.#domain.setUpcallVector(vcpu, vector);
    // A line that is up was for this vCPU's old way of delivery.
    if (vcpu === 0) this.#lowerLine();
    if (this.#host.kernel !== undefined) this.#host.request(vcpu, VcpuRequest.syncXen);
    this.#reraise(vcpu);
  }

  /** `vcpu` is about to sleep until `port` is pending, or any event when 0: senders wake it from here on. */
  startPoll(vcpu: VcpuId, port: number): void {
    Atomics.store(this.#polls, vcpu, port === 0 ? POLL_ANY : port);
    Atomics.add(this.#words, POLLERS, 1);
  }

  endPoll(vcpu: VcpuId): void {
    Atomics.sub(this.#words, POLLERS, 1);
    Atomics.store(this.#polls, vcpu, POLL_NOTHING);
  }

  save(): DeliverySnapshot {
    return { callback: this.#words[CALLBACK] ?? 0, value: this.#words[CALLBACK_VALUE] ?? 0 };
  }

  /** The line goes up again by itself when vCPU 0 has an event. */
  restore(state: DeliverySnapshot): void {
    Atomics.store(this.#words, CALLBACK_VALUE, state.value);
    Atomics.store(this.#words, CALLBACK, state.callback);
    this.#host.kernel?.setCallbackVector((state.callback === Callback.vector ? state.value : 0) as Vector);
    for (let vcpu = 0; vcpu < this.#domain.vcpus; vcpu++) this.#reraise(vcpu as VcpuId);
  }

  /** Mask, selector or queue, and upcall-pending of an event whose pending bit is set. True when `vcpu` must be told. */
  #select(port: EvtchnPort, vcpu: VcpuId): boolean {
    if (!this.#bits.link(port, vcpu)) return false;
    const info = this.#domain.vcpuInfo(vcpu);
    if (info === undefined) return false;
    return Atomics.exchange(info.bytes, this.#domain.vcpuInfoOffset + UPCALL_PENDING, 1) === 0;
  }

  #reraise(vcpu: VcpuId): void {
    if (this.upcallPending(vcpu)) this.upcall(vcpu);
  }

  #wakePollers(port: EvtchnPort): void {
    for (let vcpu = 0; vcpu < this.#domain.vcpus; vcpu++) {
      const polled = Atomics.load(this.#polls, vcpu);
      if (polled === POLL_ANY || polled === port) this.#host.wakePoll(vcpu as VcpuId);
    }
  }

  #callbackGsi(): number {
    const value = Atomics.load(this.#words, CALLBACK_VALUE);
    switch (Atomics.load(this.#words, CALLBACK)) {
      case Callback.gsi:
        return value;
      case Callback.pciIntx:
        // Bits 15:11 device, 1:0 pin; domain and bus are those of the one root bus.
        return this.#host.pciIntxGsi((value >>> 11) & 31, value & 3) ?? 0;
      default:
        return 0;
    }
  }

  #raiseLine(): void {
    this.#lineLock.acquire();
    try {
      const gsi = this.#callbackGsi();
      if (gsi === 0 || Atomics.load(this.#words, ASSERTED_GSI) === gsi) return;
      Atomics.store(this.#words, ASSERTED_GSI, gsi);
      this.#host.setCallbackGsi(gsi, 1);
    } finally {
      this.#lineLock.release();
    }
  }

  #lowerLine(): void {
    this.#lineLock.acquire();
    try {
      const gsi = Atomics.exchange(this.#words, ASSERTED_GSI, 0);
      if (gsi !== 0) this.#host.setCallbackGsi(gsi, 0);
    } finally {
      this.#lineLock.release();
    }
  }
}
