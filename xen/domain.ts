/**
 * State of the one domain that guest and hypervisor agree on: the layout of shared_info, HVM parameters, and per vCPU the
 * places and vectors that it registered. Words in shared memory, each touched through Atomics.
 *
 * [XEN] xen.git xen/include/public/xen.h, vcpu.h; [PARAMS] hvm/params.h
 */
import type { SharedArena } from "../shared/arena.js";
import { PAGE_SIZE } from "../shared/brand.js";
import type { Gfn, VcpuId } from "../shared/brand.js";
import { Lock } from "../shared/lock.js";
import type { GuestMemory, MemoryRegion } from "../shared/memory.js";
import { HVM_NR_PARAMS } from "./abi/hvm.js";
import { SHARED_INFO_32, SHARED_INFO_64, VCPU_INFO_SIZE } from "./abi/shared-info.js";
import type { SharedInfoLayout } from "./abi/shared-info.js";
import { XEN_LEGACY_MAX_VCPUS } from "./abi/xen.js";
import { SHARED_INFO_PAGE } from "./domain-config.js";
import type { Overlays } from "./overlays.js";

/** Words of the domain. */
const LONG_MODE = 0;
const RUNSTATE_UPDATE_FLAG = 1;
/** Code that the next shutdown is to have, and 1; 0 while there is none. */
const SHUTDOWN_CODE = 2;
const DOMAIN_WORDS = 3;

/** Words of one vCPU. A place is a frame (-1: none) and a byte offset in it. */
const INFO_FRAME = 0;
const INFO_OFFSET = 1;
const TIME_FRAME = 2;
const TIME_OFFSET = 3;
const UPCALL_VECTOR = 4;
const VCPU_WORDS = 16;

const NOWHERE = -1;

export interface DomainParts {
  readonly arena: SharedArena;
  readonly memory: GuestMemory;
  readonly overlays: Overlays;
  readonly vcpus: number;
}

/** Plain copy of the state, for save and restore. */
export interface DomainSnapshot {
  readonly words: readonly number[];
  readonly params: readonly number[];
  readonly vcpus: readonly number[];
}

export class DomainState {
  readonly vcpus: number;
  /** The shared_info page, wherever the guest has mapped it. */
  readonly sharedInfo: MemoryRegion;
  readonly #memory: GuestMemory;
  readonly #overlays: Overlays;
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #params: Int32Array<SharedArrayBuffer>;
  readonly #vcpuWords: Int32Array<SharedArrayBuffer>;
  /** This thread's knowledge of where each vcpu_info lies: frame, and the memory behind it. */
  readonly #infoFrames: Int32Array;
  readonly #infoRegions: (MemoryRegion | undefined)[];
  #infoOffset = 0;

  constructor(parts: DomainParts) {
    this.vcpus = parts.vcpus;
    this.sharedInfo = parts.overlays.alias(SHARED_INFO_PAGE);
    this.#memory = parts.memory;
    this.#overlays = parts.overlays;
    this.#lock = new Lock(parts.arena.int32(1));
    this.#words = parts.arena.int32(DOMAIN_WORDS);
    this.#params = parts.arena.int32(HVM_NR_PARAMS * 2);
    this.#vcpuWords = parts.arena.int32(parts.vcpus * VCPU_WORDS);
    this.#infoFrames = new Int32Array(parts.vcpus).fill(NOWHERE);
    this.#infoRegions = Array.from({ length: parts.vcpus }, () => undefined);
  }

  /** The state of a new domain: 64-bit layout until a 32-bit guest shows itself, as Xen starts HVM domains. */
  reset(): void {
    this.#words.fill(0);
    Atomics.store(this.#words, LONG_MODE, 1);
    this.#params.fill(0);
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      for (let word = 0; word < VCPU_WORDS; word++) this.#setVcpuWord(vcpu, word, 0);
      this.#setVcpuWord(vcpu, INFO_FRAME, NOWHERE);
      this.#setVcpuWord(vcpu, TIME_FRAME, NOWHERE);
    }
  }

  get longMode(): boolean {
    return Atomics.load(this.#words, LONG_MODE) !== 0;
  }

  set longMode(longMode: boolean) {
    Atomics.store(this.#words, LONG_MODE, longMode ? 1 : 0);
  }

  /** VMASST_TYPE_runstate_update_flag. */
  get runstateUpdateFlag(): boolean {
    return Atomics.load(this.#words, RUNSTATE_UPDATE_FLAG) !== 0;
  }

  set runstateUpdateFlag(enabled: boolean) {
    Atomics.store(this.#words, RUNSTATE_UPDATE_FLAG, enabled ? 1 : 0);
  }

  /** SCHEDOP_shutdown_code: the first `code`, 0..255, stays until the domain shuts down. */
  latchShutdown(code: number): void {
    Atomics.compareExchange(this.#words, SHUTDOWN_CODE, 0, code + 1);
  }

  /** The domain shuts down for `code`, or for what was latched before: which. Nothing is latched then. */
  takeShutdown(code: number): number {
    const latched = Atomics.exchange(this.#words, SHUTDOWN_CODE, 0);
    return latched === 0 ? code : latched - 1;
  }

  get layout(): SharedInfoLayout {
    return this.longMode ? SHARED_INFO_64 : SHARED_INFO_32;
  }

  isVcpu(vcpu: number): vcpu is VcpuId {
    return vcpu >= 0 && vcpu < this.vcpus;
  }

  /** Halves of HVM parameter `index`, below HVM_NR_PARAMS. */
  paramLow(index: number): number {
    return Atomics.load(this.#params, index * 2) >>> 0;
  }

  paramHigh(index: number): number {
    return Atomics.load(this.#params, index * 2 + 1) >>> 0;
  }

  setParam(index: number, high: number, low: number): void {
    Atomics.store(this.#params, index * 2, low | 0);
    Atomics.store(this.#params, index * 2 + 1, high | 0);
  }

  /** Vector of HVMOP_set_evtchn_upcall_vector, 0 for none. */
  upcallVector(vcpu: VcpuId): number {
    return this.#vcpuWord(vcpu, UPCALL_VECTOR);
  }

  setUpcallVector(vcpu: VcpuId, vector: number): void {
    this.#setVcpuWord(vcpu, UPCALL_VECTOR, vector);
  }

  /** Memory that holds the vcpu_info of `vcpu`; undefined when it has none. {@link vcpuInfoOffset} says where in it. */
  vcpuInfo(vcpu: VcpuId): MemoryRegion | undefined {
    const frame = this.#vcpuWord(vcpu, INFO_FRAME);
    if (frame === NOWHERE) {
      this.#infoOffset = vcpu * VCPU_INFO_SIZE;
      return vcpu < XEN_LEGACY_MAX_VCPUS ? this.sharedInfo : undefined;
    }
    if (this.#infoFrames[vcpu] !== frame) {
      this.#infoFrames[vcpu] = frame;
      this.#infoRegions[vcpu] = this.#pageRegion(frame >>> 0);
    }
    const region = this.#infoRegions[vcpu];
    if (region === undefined) return undefined;
    this.#infoOffset = (frame >>> 0) * PAGE_SIZE + this.#vcpuWord(vcpu, INFO_OFFSET) - region.gpa;
    return region;
  }

  /** Byte offset, a multiple of 4, of the vcpu_info that this thread asked for last by {@link vcpuInfo}. */
  get vcpuInfoOffset(): number {
    return this.#infoOffset;
  }

  /** Where in shared_info the vcpu_info of `vcpu` lies, in bytes; -1 when the guest has moved it, or it has no place there. */
  vcpuInfoInPage(vcpu: VcpuId): number {
    const moved = this.#vcpuWord(vcpu, INFO_FRAME) !== NOWHERE;
    return moved || vcpu >= XEN_LEGACY_MAX_VCPUS ? NOWHERE : vcpu * VCPU_INFO_SIZE;
  }

  /** Guest-physical address of vcpu_info, or -1 while the guest cannot see it. */
  vcpuInfoGpa(vcpu: VcpuId): number {
    const frame = this.#vcpuWord(vcpu, INFO_FRAME);
    if (frame !== NOWHERE) return (frame >>> 0) * PAGE_SIZE + this.#vcpuWord(vcpu, INFO_OFFSET);
    const shared = this.#overlays.frameOf(SHARED_INFO_PAGE);
    return shared < 0 || vcpu >= XEN_LEGACY_MAX_VCPUS ? NOWHERE : shared * PAGE_SIZE + vcpu * VCPU_INFO_SIZE;
  }

  /**
   * VCPUOP_register_vcpu_info: moves vcpu_info to `offset` bytes into `frame`, contents and all. Once per vCPU: false
   * when it has been done, or the place is not memory that can hold it.
   */
  moveVcpuInfo(vcpu: VcpuId, frame: number, offset: number): boolean {
    if (offset % (this.longMode ? 8 : 4) !== 0 || offset > PAGE_SIZE - VCPU_INFO_SIZE) return false;
    const target = frame < 0xffff_ffff ? this.#pageRegion(frame) : undefined;
    if (target === undefined) return false;
    this.#lock.acquire();
    try {
      if (this.#vcpuWord(vcpu, INFO_FRAME) !== NOWHERE) return false;
      const old = this.vcpuInfo(vcpu);
      const from = this.#infoOffset;
      const to = frame * PAGE_SIZE + offset - target.gpa;
      if (old === undefined) target.bytes.fill(0, to, to + VCPU_INFO_SIZE);
      else target.bytes.set(old.bytes.subarray(from, from + VCPU_INFO_SIZE), to);
      // The frame is what readers go by, so it comes last.
      this.#setVcpuWord(vcpu, INFO_OFFSET, offset);
      this.#setVcpuWord(vcpu, INFO_FRAME, frame | 0);
      return true;
    } finally {
      this.#lock.release();
    }
  }

  /** Guest-physical address of the second time area, or -1. */
  timeAreaGpa(vcpu: VcpuId): number {
    const frame = this.#vcpuWord(vcpu, TIME_FRAME);
    return frame === NOWHERE ? NOWHERE : (frame >>> 0) * PAGE_SIZE + this.#vcpuWord(vcpu, TIME_OFFSET);
  }

  /** `at` is a guest-physical address below 16 TiB, or -1 to forget it. */
  setTimeArea(vcpu: VcpuId, at: number): void {
    this.#setVcpuWord(vcpu, TIME_OFFSET, at < 0 ? 0 : at % PAGE_SIZE);
    this.#setVcpuWord(vcpu, TIME_FRAME, at < 0 ? NOWHERE : Math.floor(at / PAGE_SIZE) | 0);
  }

  save(): DomainSnapshot {
    return {
      words: Array.from(this.#words),
      params: Array.from(this.#params),
      vcpus: Array.from(this.#vcpuWords),
    };
  }

  restore(state: DomainSnapshot): void {
    this.#words.set(state.words);
    this.#params.set(state.params);
    this.#vcpuWords.set(state.vcpus);
  }

  /** Memory behind one whole page, an overlay's alias when one covers it. */
  #pageRegion(frame: number): MemoryRegion | undefined {
    return this.#overlays.page(frame as Gfn) ?? this.#memory.region(frame * PAGE_SIZE, PAGE_SIZE);
  }

  #vcpuWord(vcpu: number, word: number): number {
    return Atomics.load(this.#vcpuWords, vcpu * VCPU_WORDS + word);
  }

  #setVcpuWord(vcpu: number, word: number, value: number): void {
    Atomics.store(this.#vcpuWords, vcpu * VCPU_WORDS + word, value);
  }
}
