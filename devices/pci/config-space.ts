/**
 * PCI configuration space of one function: 256 bytes in shared memory, a write mask per byte, BARs that answer sizing,
 * capabilities one after the other.
 *
 * [PCI] PCI Local Bus Specification 2.1, 6.1 "Configuration space organization", 6.2.5 "Base addresses"
 * [PCI30] PCI Local Bus Specification 3.0, 6.7 "Capabilities list"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize, IoHandler } from "../../shared/io.js";
import { restoreChip, saveChip } from "../chip-state.js";
import type { ChipState } from "../chip-state.js";
import { CAPABILITY_HEADER, placeCapabilities } from "./capabilities.js";
import type { PciCapability, PlacedCapability } from "./capabilities.js";
import type { IntxPin } from "./intx-pin.js";
import type { PciRegister } from "./pci-register.js";

/** A range of ports or memory that a function answers to, where its registers say now. */
export interface PciDecode {
  readonly kind: "io" | "mmio";
  readonly base: number;
  readonly length: number;
  readonly enabled: boolean;
  readonly handler: IoHandler;
}

/** One function on bus 0. The host bridge calls all of it under its lock. */
export interface PciFunction {
  readonly name: string;
  /** Device number, 0..31. */
  readonly slot: number;
  /** 0..7. */
  readonly function: number;
  readConfig(offset: number, size: AccessSize): number;
  /** True when `decodes()` may give something else from now on. */
  writeConfig(offset: number, size: AccessSize, value: number): boolean;
  decodes(): readonly PciDecode[];
  reset(): void;
  save(): ChipState;
  restore(state: ChipState): void;
}

export interface PciBar {
  /** 0..5. */
  readonly index: number;
  readonly kind: "io" | "mmio";
  /** Bytes, a power of two. */
  readonly length: number;
  readonly prefetchable?: boolean;
  readonly handler: IoHandler;
}

export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** Base class, subclass and programming interface, 24 bits. */
  readonly classCode: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  /** The header type's top bit: other functions are in this slot. */
  readonly multifunction?: boolean;
  /** INTx: 0 none, 1 = A .. 4 = D. */
  readonly interruptPin?: number;
  readonly status?: number;
}

export interface PciLayout {
  readonly identity: PciIdentity;
  readonly command: { readonly initial: number; readonly writable: number };
  readonly bars?: readonly PciBar[];
  readonly registers?: readonly PciRegister[];
  /** From 0x40 on, in this order. */
  readonly capabilities?: readonly PciCapability[];
  /** The function's interrupt pin, silent while a capability signals by messages or the command register says so. */
  readonly intx?: IntxPin;
}

export const CONFIG_BYTES = 256;
/** [PCI] figure 6-1 */
export const Header = {
  vendor: 0x00,
  device: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  headerType: 0x0e,
  bar0: 0x10,
  subsystemVendor: 0x2c,
  subsystem: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
} as const;
/** [PCI] 6.2.2, [PCI30] 6.2.2 */
export const Command = { io: 0x0001, memory: 0x0002, master: 0x0004, intxDisable: 0x0400 } as const;
/** The status register says that there is a capability list. [PCI30] table 6-2 */
const STATUS_CAPABILITIES = 0x10;
/** [PCI] 6.2.5.1 */
const Bar = { io: 0x1, prefetchable: 0x8 } as const;
const MULTIFUNCTION = 0x80;
const IO_LIMIT = 0x1_0000;
const MMIO_LIMIT = 0x1_0000_0000;
const VERSION = 1;

export class ConfigSpace {
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #initial = new Uint8Array(CONFIG_BYTES);
  readonly #writable = new Uint8Array(CONFIG_BYTES);
  readonly #bars: readonly PciBar[];
  readonly #capabilities: readonly PlacedCapability[];
  readonly #intx: IntxPin | undefined;

  constructor(arena: SharedArena, layout: PciLayout) {
    this.#bytes = arena.uint8(CONFIG_BYTES);
    this.#bars = layout.bars ?? [];
    const { identity, command } = layout;
    this.#define(Header.vendor, 2, identity.vendor, 0);
    this.#define(Header.device, 2, identity.device, 0);
    this.#define(Header.command, 2, command.initial, command.writable);
    // Not modelled: the error bits of the status register. Nothing sets them, so there is nothing to clear.
    this.#define(Header.status, 2, identity.status ?? 0, 0);
    this.#capabilities = placeCapabilities(layout.capabilities ?? []);
    this.#intx = layout.intx;
    this.#intx?.attach(this.#bytes.subarray(Header.status, Header.status + 1));
    this.#define(Header.revision, 4, ((identity.classCode << 8) | identity.revision) >>> 0, 0);
    this.#define(Header.headerType, 1, identity.multifunction === true ? MULTIFUNCTION : 0, 0);
    this.#define(Header.subsystemVendor, 2, identity.subsystemVendor, 0);
    this.#define(Header.subsystem, 2, identity.subsystem, 0);
    this.#define(Header.interruptLine, 1, 0, 0xff);
    this.#define(Header.interruptPin, 1, identity.interruptPin ?? 0, 0);
    for (const bar of this.#bars) {
      const flags = bar.kind === "io" ? Bar.io : bar.prefetchable === true ? Bar.prefetchable : 0;
      // Address bits below the length are hard-wired to 0: that is how a guest learns the length.
      this.#define(Header.bar0 + bar.index * 4, 4, flags, (MMIO_LIMIT - bar.length) >>> 0);
    }
    for (const register of layout.registers ?? []) {
      this.#define(register.offset, register.size, register.initial, register.writable);
    }
    this.#defineCapabilities();
  }

  reset(): void {
    this.#bytes.set(this.#initial);
    this.#tellAll();
  }

  save(): ChipState {
    return saveChip(VERSION, this.#bytes);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.#bytes);
    this.#tellAll();
  }

  /** Unsigned; bytes past the end read as ones. */
  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= (this.#bytes[offset + byte] ?? 0xff) << (byte * 8);
    return value >>> 0;
  }

  /** Changes writable bits only. True when the command register or a BAR was touched. */
  write(offset: number, size: AccessSize, value: number): boolean {
    for (let byte = 0; byte < size && offset + byte < CONFIG_BYTES; byte++) {
      const at = offset + byte;
      const mask = this.#writable[at] ?? 0;
      // A byte without writable bits may be changing under us: interrupts set status and pending bits from any thread.
      if (mask !== 0) this.#bytes[at] = ((this.#bytes[at] ?? 0) & ~mask) | ((value >>> (byte * 8)) & mask);
    }
    const command = touches(offset, size, Header.command, 2);
    for (const { at, capability } of this.#capabilities) {
      if (command || touches(offset, size, at, capability.length)) capability.changed(this.read(Header.command, 2));
    }
    if (command || offset >= (this.#capabilities[0]?.at ?? CONFIG_BYTES)) this.#silenceIntx();
    return command || touches(offset, size, Header.bar0, 24);
  }

  /** The BARs as they decode now. One that is placed at 0 or does not fit its space, as while it is sized, is off. */
  decodes(): readonly PciDecode[] {
    const command = this.read(Header.command, 2);
    return this.#bars.map(({ index, kind, length, handler }) => {
      const base = (this.read(Header.bar0 + index * 4, 4) & -length) >>> 0;
      const fits = base !== 0 && base + length < (kind === "io" ? IO_LIMIT : MMIO_LIMIT);
      const enabled = fits && (command & (kind === "io" ? Command.io : Command.memory)) !== 0;
      return { kind, base, length, enabled, handler };
    });
  }

  #defineCapabilities(): void {
    let link: number = Header.capabilities;
    for (const { at, capability } of this.#capabilities) {
      this.#define(link, 1, at, 0);
      link = at + 1;
      this.#define(at, 1, capability.id, 0);
      for (const { offset, size, initial, writable } of capability.registers) {
        if (offset < CAPABILITY_HEADER || offset + size > capability.length) {
          throw new RangeError(`Cannot lay out a PCI capability: its register at ${offset} is outside`);
        }
        this.#define(at + offset, size, initial, writable);
      }
      capability.attach(this.#bytes.subarray(at, at + capability.length));
    }
    if (link !== Header.capabilities)
      this.#initial[Header.status] = (this.#initial[Header.status] ?? 0) | STATUS_CAPABILITIES;
  }

  #tellAll(): void {
    const command = this.read(Header.command, 2);
    for (const { capability } of this.#capabilities) capability.changed(command);
    this.#silenceIntx();
  }

  #silenceIntx(): void {
    const disabled = (this.read(Header.command, 2) & Command.intxDisable) !== 0;
    this.#intx?.silence(disabled || this.#capabilities.some(({ capability }) => capability.replacesIntx()));
  }

  #define(offset: number, size: AccessSize, initial: number, writable: number): void {
    for (let byte = 0; byte < size; byte++) {
      this.#initial[offset + byte] = (initial >>> (byte * 8)) & 0xff;
      this.#writable[offset + byte] = (writable >>> (byte * 8)) & 0xff;
    }
  }
}

/** True when `[offset, offset + size)` and `[start, start + length)` meet. */
export function touches(offset: number, size: number, start: number, length: number): boolean {
  return offset < start + length && start < offset + size;
}
