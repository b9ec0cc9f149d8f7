/**
 * Which vCPUs are up, and the registers that one is to start with. Words in shared memory, touched through Atomics.
 *
 * [VCPU] xen.git xen/include/public/vcpu.h (VCPUOP_initialise, up, down, is_up); xen/arch/x86/hvm/hvm.c (hvm_hlt)
 *
 * A vCPU starts in one of two ways: by INIT and SIPI, or by VCPUOP_initialise and VCPUOP_up. Any vCPU says what a state
 * should be; only the vCPU's own thread can make KVM follow, and only it sees INIT and SIPI, which it tells here. Both may
 * come at once, so a state changes from one that was seen to the next, or not at all.
 */
import type { SharedArena } from "../shared/arena.js";
import type { VcpuId } from "../shared/brand.js";
import { Lock } from "../shared/lock.js";
import { REGISTER_BYTES } from "./vcpu-context.js";
import type { StoredContext } from "./vcpu-context.js";

/** How far a vCPU is. */
const State = {
  /** Never started, or stopped by INIT: waits for SIPI, or for VCPUOP_initialise. */
  offline: 0,
  up: 1,
  /** Has registers to go on with, and rests until VCPUOP_up. */
  down: 2,
} as const;

/** Words of one vCPU, then its context. */
const STATE = 0;
/** A context waits for the vCPU's thread to take it. */
const CONTEXT_WAITS = 1;
const CONTEXT_MODE = 2;
/** It was up when a soft reset took away what the guest had set up. */
const LEFT_OVER = 3;
/** It was in HLT with interrupts closed when its thread last looked. */
const LAST_HALT = 4;
/** It has been seen to run since the last INIT. */
const SEEN = 5;
const CONTEXT_REGISTERS = 6;
const BYTES_PER_WORD = 4;
const STRIDE = CONTEXT_REGISTERS + REGISTER_BYTES / BYTES_PER_WORD;

export interface VcpuStatesSnapshot {
  readonly words: readonly number[];
}

export class VcpuStates {
  readonly #vcpus: number;
  /** Held by who stores a context. */
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, vcpus: number) {
    this.#vcpus = vcpus;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(vcpus * STRIDE);
    this.#bytes = new Uint8Array(this.#words.buffer, this.#words.byteOffset, this.#words.byteLength);
  }

  /** The boot vCPU is up. */
  reset(): void {
    this.#words.fill(0);
    Atomics.store(this.#words, STATE, State.up);
  }

  /** A soft reset: what is up stays up, in code of the kernel that has gone. vCPUs are at rest. */
  noteSoftReset(): void {
    for (let vcpu = 0; vcpu < this.#vcpus; vcpu++) {
      Atomics.store(this.#words, vcpu * STRIDE + LEFT_OVER, this.isUp(vcpu as VcpuId) ? 1 : 0);
    }
  }

  /** Whether `vcpu` is up only because a soft reset has left it so, for all that is known. True once at most. */
  takeLeftOver(vcpu: VcpuId): boolean {
    return Atomics.exchange(this.#words, vcpu * STRIDE + LEFT_OVER, 0) === 1;
  }

  isUp(vcpu: VcpuId): boolean {
    return this.#state(vcpu) === State.up;
  }

  /**
   * Whether `vcpu` is up and was not in HLT with interrupts closed when its thread last looked, as firmware and a kernel that
   * ends leave the others. Xen takes such a vCPU down altogether; here INIT or an NMI makes it go on, and VCPUOP_up does not,
   * so VCPUOP_is_up still counts it: a kernel that waits for an INIT to be taken looks there.
   */
  runs(vcpu: VcpuId): boolean {
    return this.isUp(vcpu) && Atomics.load(this.#words, vcpu * STRIDE + LAST_HALT) === 0;
  }

  /** Whether `vcpu` has registers to run with. */
  isInitialised(vcpu: VcpuId): boolean {
    return this.#state(vcpu) !== State.offline;
  }

  /** Whether `vcpu` is to rest until VCPUOP_up. */
  isDown(vcpu: VcpuId): boolean {
    return this.#state(vcpu) === State.down;
  }

  /** Whether all vCPUs but `vcpu` are down, or never started. */
  isAlone(vcpu: VcpuId): boolean {
    for (let other = 0; other < this.#vcpus; other++) {
      if (other !== vcpu && this.isUp(other as VcpuId)) return false;
    }
    return true;
  }

  /** VCPUOP_initialise. False when the vCPU has been initialised before. */
  initialise(vcpu: VcpuId, context: StoredContext): boolean {
    this.#lock.acquire();
    try {
      if (this.isInitialised(vcpu)) return false;
      // The context first: with the state another vCPU may bring this one up.
      Atomics.store(this.#words, vcpu * STRIDE + CONTEXT_MODE, context.mode);
      this.#bytes.set(context.registers, (vcpu * STRIDE + CONTEXT_REGISTERS) * BYTES_PER_WORD);
      Atomics.store(this.#words, vcpu * STRIDE + CONTEXT_WAITS, 1);
      if (this.#change(vcpu, State.offline, State.down)) return true;
      // A SIPI was quicker.
      Atomics.store(this.#words, vcpu * STRIDE + CONTEXT_WAITS, 0);
      return false;
    } finally {
      this.#lock.release();
    }
  }

  /** VCPUOP_up, for one that is initialised. True when it was down. */
  bringUp(vcpu: VcpuId): boolean {
    return this.#change(vcpu, State.down, State.up);
  }

  /** VCPUOP_down. True when it was up. */
  takeDown(vcpu: VcpuId): boolean {
    return this.#change(vcpu, State.up, State.down);
  }

  /** `vcpu` has been seen to run: by SIPI, if it was offline. True when that is news. */
  noteStarted(vcpu: VcpuId): boolean {
    if (!this.#change(vcpu, State.offline, State.up)) return false;
    Atomics.store(this.#words, vcpu * STRIDE + SEEN, 1);
    return true;
  }

  /** Whether a SIPI has started `vcpu` since its last INIT, for all that is known. */
  hasStarted(vcpu: VcpuId): boolean {
    return Atomics.load(this.#words, vcpu * STRIDE + SEEN) === 1;
  }

  /** vCPU's thread: an INIT came, which takes away what the vCPU was. */
  noteInit(vcpu: VcpuId): void {
    Atomics.store(this.#words, vcpu * STRIDE + CONTEXT_WAITS, 0);
    Atomics.store(this.#words, vcpu * STRIDE + STATE, State.offline);
    Atomics.store(this.#words, vcpu * STRIDE + LEFT_OVER, 0);
    Atomics.store(this.#words, vcpu * STRIDE + LAST_HALT, 0);
    Atomics.store(this.#words, vcpu * STRIDE + SEEN, 0);
  }

  /** vCPU's thread: whether it is in HLT with interrupts closed. */
  noteLastHalt(vcpu: VcpuId, halted: boolean): void {
    Atomics.store(this.#words, vcpu * STRIDE + LAST_HALT, halted ? 1 : 0);
  }

  /** vCPU's thread: what VCPUOP_initialise gave, once. */
  takeContext(vcpu: VcpuId): StoredContext | undefined {
    const waits = vcpu * STRIDE + CONTEXT_WAITS;
    if (!this.isInitialised(vcpu) || Atomics.exchange(this.#words, waits, 0) === 0) return undefined;
    const at = (vcpu * STRIDE + CONTEXT_REGISTERS) * BYTES_PER_WORD;
    const mode = Atomics.load(this.#words, vcpu * STRIDE + CONTEXT_MODE);
    return { mode, pad: 0, registers: this.#bytes.slice(at, at + REGISTER_BYTES) };
  }

  save(): VcpuStatesSnapshot {
    return { words: Array.from(this.#words) };
  }

  restore(state: VcpuStatesSnapshot): void {
    this.#words.set(state.words);
  }

  #state(vcpu: VcpuId): number {
    return Atomics.load(this.#words, vcpu * STRIDE + STATE);
  }

  #change(vcpu: VcpuId, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, vcpu * STRIDE + STATE, from, to) === from;
  }
}
