/** A guest for specs: RAM without paging, and hypercalls by name of their arguments. */
import { SharedArena } from "../../shared/arena.js";
import { gpa, vcpuId, domId } from "../../shared/brand.js";
import type { VcpuId } from "../../shared/brand.js";
import { E820, XEN_SPECIAL_BASE } from "../../shared/layout.js";
import { GuestMemory, MemoryRegion } from "../../shared/memory.js";
import { VirtualMemory } from "../../shared/virtual-memory.js";
import { overlayPages, xenArenaBytes } from "../../xen/domain-config.js";
import type { XenConfig } from "../../xen/domain-config.js";
import type { HypercallFrame } from "../../xen/hypercalls/call.js";
import { Overlays } from "../../xen/overlays.js";
import { XenDomain } from "../../xen/xen-domain.js";
import { FakeHost } from "./fake-host.js";
import type { FakeKernel } from "./fake-host.js";

export const RAM_BYTES = 1 << 20;
/** Where specs put hypercall arguments. */
export const ARGUMENT = 0x1000;

export interface GuestOptions {
  readonly vcpus?: number;
  readonly kernel?: FakeKernel;
  readonly console?: boolean;
  readonly fifo?: boolean;
  readonly maxGrantFrames?: number;
  readonly ramBytes?: number;
}

class Frame implements HypercallFrame {
  vcpu: VcpuId = vcpuId(0);
  longMode = true;
  cpl = 0;
  number = 0;
  result = 0;
  again = false;
  /** Junk in the high halves of a 32-bit caller's registers. */
  junk = 0;
  readonly args = [0, 0, 0, 0, 0, 0];

  lo(index: number): number {
    return ((this.args[index] ?? 0) % 0x1_0000_0000) >>> 0;
  }
  hi(index: number): number {
    return this.junk === 0 ? Math.floor((this.args[index] ?? 0) / 0x1_0000_0000) >>> 0 : this.junk;
  }
  set(index: number, high: number, low: number): void {
    this.args[index] = high * 0x1_0000_0000 + low;
  }
}

export class Guest {
  readonly host = new FakeHost();
  readonly xen: XenDomain;
  readonly overlays: Overlays;
  readonly ram: MemoryRegion;
  readonly memory: GuestMemory;
  readonly vm: VirtualMemory;
  readonly frame = new Frame();
  readonly config: XenConfig;
  readonly arenaBuffer: SharedArrayBuffer;
  readonly overlayBuffer: SharedArrayBuffer;
  /** How often the last call was made until it was done. */
  exits = 0;

  constructor(options: GuestOptions = {}) {
    this.host.kernel = options.kernel;
    const ramBytes = options.ramBytes ?? RAM_BYTES;
    this.config = {
      version: 0x4_0011,
      vcpus: options.vcpus ?? 2,
      domid: domId(1),
      maxPirqs: 256,
      maxGrantFrames: options.maxGrantFrames ?? 4,
      handle: Uint8Array.from({ length: 16 }, (_, i) => i + 1),
      memoryMap: [{ base: gpa(0), length: ramBytes, type: E820.ram }],
      ram: [{ first: 0, count: ramBytes / 4096 }],
      console: options.console ?? true,
      fifo: options.fifo ?? true,
    };
    this.ram = new MemoryRegion(gpa(0), ramBytes, new SharedArrayBuffer(ramBytes));
    const special = new MemoryRegion(XEN_SPECIAL_BASE, 0x4000, new SharedArrayBuffer(0x4000));
    this.arenaBuffer = new SharedArrayBuffer(xenArenaBytes(this.config));
    this.overlayBuffer = new SharedArrayBuffer(overlayPages(this.config) * 4096);
    const arena = new SharedArena(this.arenaBuffer);
    const pages = overlayPages(this.config);
    this.overlays = new Overlays({ arena, buffer: this.overlayBuffer, start: 0, pages });
    this.memory = new GuestMemory([this.ram, special], this.overlays);
    const flat = { load: () => undefined };
    this.vm = new VirtualMemory(this.memory, flat, this.overlays);
    this.xen = new XenDomain({
      arena,
      memory: this.memory,
      overlays: this.overlays,
      host: this.host,
      config: this.config,
    });
    this.xen.reset();
    this.host.taken("");
  }

  /** Hypercall `number` by vCPU 0, or whichever `frame.vcpu` says. */
  call(number: number, ...args: readonly number[]): number {
    this.frame.number = number;
    for (let i = 0; i < 6; i++) this.frame.args[i] = args[i] ?? 0;
    this.exits = 0;
    do {
      this.xen.hypercall(this.frame, this.vm);
      this.exits++;
    } while (this.frame.again);
    return this.frame.result;
  }

  /** Sub-operation `command` of `number` with 32-bit `words` as its argument. */
  op(number: number, command: number, ...words: readonly number[]): number {
    this.words(ARGUMENT, ...words);
    return this.call(number, command, ARGUMENT, 1);
  }

  /** Writes 32-bit words at a guest-physical address. */
  words(at: number, ...values: readonly number[]): void {
    for (const [i, value] of values.entries()) this.ram.view.setUint32(at + i * 4, value, true);
  }

  word(at: number): number {
    return this.ram.view.getUint32(at, true);
  }

  /** Word `index` of the argument, after the call. */
  out(index: number): number {
    return this.word(ARGUMENT + index * 4);
  }

  /** Another thread's view of the same domain. */
  twin(arena = new SharedArena(this.arenaBuffer)): XenDomain {
    const pages = overlayPages(this.config);
    const overlays = new Overlays({ arena, buffer: this.overlayBuffer, start: 0, pages });
    const memory = new GuestMemory(this.memory.regions, overlays);
    return new XenDomain({ arena, memory, overlays, host: this.host, config: this.config });
  }
}
