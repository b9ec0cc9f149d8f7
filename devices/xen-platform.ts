/**
 * Xen platform PCI device, 02.0: the unplug protocol and a log on fixed ports, and BARs that guests put to their own use.
 *
 * [UNPLUG] xen.git docs/misc/hvm-emulated-unplug.pandoc
 * [SUSE] the older unplug protocol of SUSE's and VMDP's drivers, through BAR 0
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import { allOnes } from "../shared/io.js";
import type { AccessSize, Device, IoHandler, PortRange } from "../shared/io.js";
import { restoreChip, saveChip, words } from "./chip-state.js";
import type { ChipState } from "./chip-state.js";
import { LineBuffer } from "./line-buffer.js";
import { ConfigSpace } from "./pci/config-space.js";
import type { PciDecode, PciFunction } from "./pci/config-space.js";

export interface XenPlatformHost {
  /** The guest unplugs emulated devices: bits of {@link Unplug}. */
  unplug(mask: number): void;
  /** The guest wrote a line to its log, control characters and all. */
  log(line: string): void;
}

/** Bits of the unplug mask. [UNPLUG] step 6 */
export const Unplug = { disks: 1 << 0, nics: 1 << 1, secondaryDisks: 1 << 2, nvme: 1 << 3 } as const;
const UNPLUG_BITS = 0x0f;

const FIXED_PORTS = port(0x10);
const FIXED_LENGTH = 16;
/** Offsets from 0x10: what is there depends on the width of the access. [UNPLUG] steps 1 to 5 */
const Fixed = { magicOrMask: 0, versionOrProduct: 2 } as const;
const MAGIC = 0x49d2;
const PROTOCOL_VERSION = 1;
/** Bit 0 of the flags byte: guest memory below 1 MiB is write-protected. Not modelled: kept and read back. */
const FLAGS_MASK = 0x01;

const BAR0_LENGTH = 0x100;
/** Guests use it as address space that is surely free, for grant frames and shared_info. */
const BAR1_LENGTH = 16 * 1024 * 1024;
/** Bytes of BAR 0. [SUSE] */
const Bar0 = { flags: 0, unplugAll: 4, unplugSome: 8 } as const;
/** Values at `unplugSome`; others are log characters. [SUSE] */
const Some = { disks: 1, nics: 2 } as const;

const W = words(["flags", "product"]);
const VERSION = 1;

export class XenPlatform implements Device, PciFunction {
  readonly name = "xen-platform";
  readonly slot = 2;
  readonly function = 0;
  readonly ports: readonly PortRange[];
  readonly #host: XenPlatformHost;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #line: LineBuffer;
  readonly #config: ConfigSpace;

  constructor(arena: SharedArena, host: XenPlatformHost) {
    this.#host = host;
    this.#words = arena.int32(2);
    this.#line = new LineBuffer(arena);
    const fixed: IoHandler = {
      read: (offset, size) => this.#readFixed(offset, size),
      write: (offset, size, value) => {
        this.#writeFixed(offset, size, value);
      },
    };
    const bar0: IoHandler = {
      read: (offset, size) => {
        const high = allOnes(size);
        return offset === Bar0.flags ? ((high & ~0xff) | this.#flags()) >>> 0 : high;
      },
      write: (offset, size, value) => {
        for (let byte = 0; byte < size; byte++) this.#writeBar0(offset + byte, (value >>> (byte * 8)) & 0xff);
      },
    };
    const bar1: IoHandler = { read: () => 0, write: () => undefined };
    this.ports = [{ base: FIXED_PORTS, length: FIXED_LENGTH, handler: fixed }];
    this.#config = new ConfigSpace(arena, {
      identity: {
        vendor: 0x5853,
        device: 0x0001,
        revision: 1,
        classCode: 0xff_8000,
        subsystemVendor: 0x5853,
        subsystem: 0x0001,
        interruptPin: 1,
      },
      command: { initial: 0x0003, writable: 0x0507 },
      bars: [
        { index: 0, kind: "io", length: BAR0_LENGTH, handler: bar0 },
        { index: 1, kind: "mmio", length: BAR1_LENGTH, prefetchable: true, handler: bar1 },
      ],
    });
  }

  /** The product that the guest's drivers said they are, 0 before. [UNPLUG] step 3 */
  get product(): number {
    return Atomics.load(this.#words, W.product);
  }

  reset(): void {
    this.#words.fill(0);
    this.#line.clear();
    this.#config.reset();
  }

  /** Configuration space, registers and the unfinished log line. */
  save(): ChipState {
    const config = this.#config.save();
    const own = saveChip(VERSION, this.#words, this.#line.length, this.#line.bytes);
    return { version: VERSION, words: [...config.words, ...own.words] };
  }

  restore(state: ChipState): void {
    const configWords = this.#config.save().words.length;
    restoreChip(
      { version: state.version, words: state.words.slice(configWords) },
      VERSION,
      this.#words,
      this.#line.length,
      this.#line.bytes,
    );
    this.#config.restore({ version: state.version, words: state.words.slice(0, configWords) });
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): boolean {
    return this.#config.write(offset, size, value);
  }

  decodes(): readonly PciDecode[] {
    return this.#config.decodes();
  }

  #readFixed(offset: number, size: AccessSize): number {
    if (size === 2 && offset === Fixed.magicOrMask) return MAGIC;
    if (size === 1 && offset === Fixed.magicOrMask) return this.#flags();
    if (size === 1 && offset === Fixed.versionOrProduct) return PROTOCOL_VERSION;
    return allOnes(size);
  }

  #writeFixed(offset: number, size: AccessSize, value: number): void {
    if (size === 2 && offset === Fixed.magicOrMask) this.#unplug(value);
    else if (size === 2 && offset === Fixed.versionOrProduct) Atomics.store(this.#words, W.product, value & 0xffff);
    else if (size === 1 && offset === Fixed.magicOrMask) Atomics.store(this.#words, W.flags, value & FLAGS_MASK);
    else if (size === 1 && offset === Fixed.versionOrProduct) this.#logByte(value & 0xff);
    // 32 bits at 0x10 is the drivers' build number, which nobody asks for. [UNPLUG] step 4
  }

  #writeBar0(offset: number, value: number): void {
    switch (offset) {
      case Bar0.flags:
        Atomics.store(this.#words, W.flags, value & FLAGS_MASK);
        break;
      case Bar0.unplugAll:
        if (value === 1) this.#unplug(Unplug.disks | Unplug.nics);
        break;
      case Bar0.unplugSome:
        if (value === Some.disks) this.#unplug(Unplug.disks);
        else if (value === Some.nics) this.#unplug(Unplug.nics);
        else this.#logByte(value);
        break;
      default:
        break;
    }
  }

  #unplug(value: number): void {
    const mask = value & UNPLUG_BITS;
    if (mask !== 0) this.#host.unplug(mask);
  }

  #logByte(value: number): void {
    const line = this.#line.push(value);
    if (line !== undefined) this.#host.log(line);
  }

  #flags(): number {
    return Atomics.load(this.#words, W.flags);
  }
}
