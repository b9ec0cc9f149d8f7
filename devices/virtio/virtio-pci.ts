/**
 * A virtio device as a PCI function: vendor capabilities that say where in BAR 4 the registers are, MSI-X in BAR 1.
 *
 * Version 1 only, not transitional: there is no I/O BAR with the registers of drivers from before virtio 1.0. Linux has
 * driven such functions since 4.0, SeaBIOS since 1.10.
 *
 * Locks: host bridge, then the device state's, then the interrupt pin's or the MSI-X table's.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 4.1 "Virtio over PCI bus"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize, IoHandler, IrqLine } from "../../shared/io.js";
import { restoreChip } from "../chip-state.js";
import type { ChipState } from "../chip-state.js";
import { CapabilityId, placeCapabilities, plainCapability } from "../pci/capabilities.js";
import type { PciCapability } from "../pci/capabilities.js";
import { Command, ConfigSpace, Header, touches } from "../pci/config-space.js";
import type { PciDecode, PciFunction } from "../pci/config-space.js";
import { IntxPin } from "../pci/intx-pin.js";
import type { MsiSink } from "../pci/msi-sink.js";
import { MsixTable } from "../pci/msix.js";
import { NO_VECTOR, Status } from "./virtio-abi.js";
import type { VirtioDevice } from "./virtio-device.js";
import { COMMON, VirtioState } from "./virtio-state.js";

export interface VirtioPciParts {
  readonly device: VirtioDevice;
  /** Device number on bus 0. */
  readonly slot: number;
  /** INTA of the slot. */
  readonly intx: IrqLine;
  readonly messages: MsiSink;
}

/** [VIRTIO] 4.1.2 */
const VENDOR = 0x1af4;
const DEVICE_BASE = 0x1040;
const REVISION = 1;
/** As drivers of version 1 expect it not to mean anything. [VIRTIO] 4.1.2.1 */
const SUBSYSTEM = 0x1100;

/** cfg_type of a capability. [VIRTIO] 4.1.4 */
const CapType = { common: 1, notify: 2, isr: 3, device: 4, pci: 5 } as const;
/** struct virtio_pci_cap. [VIRTIO] 4.1.4 */
const Cap = { length: 2, type: 3, bar: 4, offset: 8, extent: 12, extra: 16 } as const;
const CAP_BYTES = 16;

const REGISTERS_BAR = 4;
const MSIX_BAR = 1;
const MSIX_BAR_BYTES = 0x1000;
/** Structures of BAR 4, a page each. */
const Page = { common: 0x0000, isr: 0x1000, device: 0x2000, notify: 0x3000 } as const;
const PAGE = 0x1000;
const REGISTERS_BYTES = 0x4000;
/** Bytes between the notification addresses of two queues. */
const NOTIFY_STEP = 4;
/** Bits of the ISR status. [VIRTIO] 4.1.4.5 */
const Isr = { queue: 0x1, config: 0x2 } as const;
/** Parity error response and SERR# enable of the command register: read back, and nothing more. */
const SERR_AND_PARITY = 0x0140;
const VERSION = 1;

/** Where a guest's write tells of a queue, and what for: an address that the host may watch in our place. */
export interface NotifyAddress {
  readonly address: number;
  readonly queue: number;
}

export class VirtioPci implements PciFunction {
  readonly name: string;
  readonly slot: number;
  readonly function = 0;
  readonly device: VirtioDevice;
  readonly state: VirtioState;
  readonly #config: ConfigSpace;
  readonly #msix: MsixTable;
  readonly #pin: IntxPin;
  readonly #isr: Int32Array<SharedArrayBuffer>;
  /** Offset of the capability through which configuration accesses reach the BARs. */
  readonly #window: number;
  readonly #registers: IoHandler = {
    read: (offset, size) => this.#read(offset, size),
    write: (offset, size, value) => {
      this.#write(offset, size, value);
    },
  };

  constructor(arena: SharedArena, parts: VirtioPciParts) {
    const { device, slot } = parts;
    this.name = device.name;
    this.slot = slot;
    this.device = device;
    this.#pin = new IntxPin(arena, parts.intx);
    this.#isr = arena.int32(1);
    // One for the configuration, one for each queue.
    const vectors = 1 + device.queueSizes.length;
    this.#msix = new MsixTable(arena, { sink: parts.messages, vectors, bar: MSIX_BAR, pbaOffset: MSIX_BAR_BYTES / 2 });
    this.state = new VirtioState(arena, device, {
      vectors,
      interruptQueue: (vector) => {
        this.#interrupt(vector, Isr.queue);
      },
      interruptConfig: (vector) => {
        this.#interrupt(vector, Isr.config);
      },
      clearInterrupts: () => {
        Atomics.store(this.#isr, 0, 0);
        this.#pin.set(0);
      },
    });
    const capabilities = [
      this.#msix,
      structure(CapType.common, Page.common, COMMON.size),
      structure(CapType.notify, Page.notify, device.queueSizes.length * NOTIFY_STEP, NOTIFY_STEP),
      structure(CapType.isr, Page.isr, 1),
      structure(CapType.device, Page.device, device.configLength),
      accessWindow(),
    ];
    this.#window = placeCapabilities(capabilities).at(-1)?.at ?? 0;
    this.#config = new ConfigSpace(arena, {
      identity: {
        vendor: VENDOR,
        device: DEVICE_BASE + device.type,
        revision: REVISION,
        classCode: device.classCode,
        subsystemVendor: VENDOR,
        subsystem: SUBSYSTEM,
        interruptPin: 1,
      },
      command: { initial: 0, writable: Command.memory | Command.master | Command.intxDisable | SERR_AND_PARITY },
      bars: [
        { index: MSIX_BAR, kind: "mmio", length: MSIX_BAR_BYTES, handler: this.#msix },
        { index: REGISTERS_BAR, kind: "mmio", length: REGISTERS_BYTES, handler: this.#registers },
      ],
      capabilities,
      intx: this.#pin,
    });
  }

  readConfig(offset: number, size: AccessSize): number {
    if (touches(offset, size, this.#window + Cap.extra, 4)) {
      const access = this.#windowAccess();
      if (access !== undefined) {
        this.#config.write(this.#window + Cap.extra, 4, access.handler.read(access.offset, access.size));
      }
    }
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): boolean {
    const changed = this.#config.write(offset, size, value);
    if (touches(offset, size, this.#window + Cap.extra, 4)) {
      const access = this.#windowAccess();
      if (access !== undefined) {
        const data = this.#config.read(this.#window + Cap.extra, access.size);
        access.handler.write(access.offset, access.size, data);
      }
    }
    if (touches(offset, size, Header.command, 2) && this.state.setStopped(!this.#mayMaster())) this.#lookAgain();
    return changed;
  }

  decodes(): readonly PciDecode[] {
    return this.#config.decodes();
  }

  /** Where the guest's notifications arrive now: nowhere while the BAR does not decode. Under the host bridge's lock. */
  notifyAddresses(): readonly NotifyAddress[] {
    const registers = this.decodes().find(({ handler }) => handler === this.#registers);
    if (registers?.enabled !== true) return [];
    const { base } = registers;
    return this.state.queues.map((_, queue) => ({ address: base + Page.notify + queue * NOTIFY_STEP, queue }));
  }

  reset(): void {
    this.state.reset();
    this.#msix.reset();
    this.#config.reset();
  }

  save(): ChipState {
    const parts = [this.#config.save(), this.#msix.save(), this.state.save(), this.device.save()];
    return { version: VERSION, words: [...(this.#isr as Iterable<number>), ...parts.flatMap((part) => part.words)] };
  }

  /** @throws VmmError STATE when it is another device's */
  restore(state: ChipState): void {
    let next = 0;
    const take = (length: number, version: number): ChipState => {
      const words = state.words.slice(next, next + length);
      next += length;
      return { version: state.version === VERSION ? version : -1, words };
    };
    const like = (part: ChipState): ChipState => take(part.words.length, part.version);
    restoreChip(take(1, VERSION), VERSION, this.#isr);
    const config = like(this.#config.save());
    // What the configuration space says is enabled acts on tables that are there already.
    this.#msix.restore(like(this.#msix.save()));
    this.state.restore(like(this.state.save()));
    this.device.restore(take(state.words.length - next, this.device.save().version));
    this.#config.restore(config);
  }

  /** A driver's reset from our side, as when the function leaves the bus. */
  shutDown(): void {
    this.state.requestReset();
  }

  #read(offset: number, size: AccessSize): number {
    const page = offset & ~(PAGE - 1);
    const at = offset & (PAGE - 1);
    switch (page) {
      case Page.common:
        return this.state.locked(() => COMMON.read(at, size, this.state));
      case Page.isr:
        return at === 0 ? this.#acknowledge() : 0;
      case Page.device:
        return this.#readDevice(at, size);
      default:
        return 0;
    }
  }

  #write(offset: number, size: AccessSize, value: number): void {
    const page = offset & ~(PAGE - 1);
    const at = offset & (PAGE - 1);
    if (page === Page.notify) {
      const queue = Math.floor(at / NOTIFY_STEP);
      if (at % NOTIFY_STEP === 0 && queue < this.state.queues.length) this.device.notify(queue);
    } else if (page === Page.common) {
      this.state.locked(() => {
        COMMON.write(at, size, value, this.state);
      });
    } else if (page === Page.device && at + size <= this.device.configLength) {
      this.state.locked(() => {
        this.device.writeConfig(at, size, value);
      });
    }
  }

  /** Past the end of the structure there is nothing. */
  #readDevice(at: number, size: AccessSize): number {
    if (at + size > this.device.configLength) return 0;
    return this.state.locked(() => this.device.readConfig(at, size));
  }

  /** Reading the ISR status takes what it says away, and the interrupt with it. [VIRTIO] 4.1.4.5 */
  #acknowledge(): number {
    return this.state.locked(() => {
      const isr = Atomics.exchange(this.#isr, 0, 0);
      this.#pin.set(0);
      return isr;
    });
  }

  #interrupt(vector: number, cause: number): void {
    if (this.#msix.replacesIntx()) {
      if (vector !== NO_VECTOR) this.#msix.notify(vector);
      return;
    }
    this.state.locked(() => {
      Atomics.or(this.#isr, 0, cause);
      this.#pin.set(1);
    });
  }

  #mayMaster(): boolean {
    return (this.#config.read(Header.command, 2) & Command.master) !== 0;
  }

  /** What the driver notified of while the device was not allowed to look. */
  #lookAgain(): void {
    if ((this.state.status & Status.driverOk) === 0) return;
    for (let queue = 0; queue < this.state.queues.length; queue++) this.device.notify(queue);
  }

  /** What the access capability aims at: undefined when it makes no sense. [VIRTIO] 4.1.4.9 */
  #windowAccess(): { readonly handler: IoHandler; readonly offset: number; readonly size: AccessSize } | undefined {
    const bar = this.#config.read(this.#window + Cap.bar, 1);
    const offset = this.#config.read(this.#window + Cap.offset, 4);
    const size = this.#config.read(this.#window + Cap.extent, 4);
    if (size !== 1 && size !== 2 && size !== 4) return undefined;
    if (offset % size !== 0) return undefined;
    if (bar === REGISTERS_BAR && offset + size <= REGISTERS_BYTES) return { handler: this.#registers, offset, size };
    if (bar === MSIX_BAR && offset + size <= MSIX_BAR_BYTES) return { handler: this.#msix, offset, size };
    return undefined;
  }
}

/** One structure of BAR 4. `multiplier` for the notifications'. */
function structure(type: number, offset: number, length: number, multiplier?: number): PciCapability {
  const extra = multiplier === undefined ? 0 : 4;
  return plainCapability(CapabilityId.vendor, CAP_BYTES + extra, [
    { offset: Cap.length, size: 1, initial: CAP_BYTES + extra, writable: 0 },
    { offset: Cap.type, size: 1, initial: type, writable: 0 },
    { offset: Cap.bar, size: 4, initial: REGISTERS_BAR, writable: 0 },
    { offset: Cap.offset, size: 4, initial: offset, writable: 0 },
    { offset: Cap.extent, size: 4, initial: length, writable: 0 },
    ...(multiplier === undefined ? [] : [{ offset: Cap.extra, size: 4, initial: multiplier, writable: 0 } as const]),
  ]);
}

/** The BARs for who cannot reach memory: BAR, offset and width are the guest's to set. [VIRTIO] 4.1.4.9 */
function accessWindow(): PciCapability {
  return plainCapability(CapabilityId.vendor, CAP_BYTES + 4, [
    { offset: Cap.length, size: 1, initial: CAP_BYTES + 4, writable: 0 },
    { offset: Cap.type, size: 1, initial: CapType.pci, writable: 0 },
    { offset: Cap.bar, size: 1, initial: 0, writable: 0xff },
    { offset: Cap.offset, size: 4, initial: 0, writable: 0xffff_ffff },
    { offset: Cap.extent, size: 4, initial: 0, writable: 0xffff_ffff },
    { offset: Cap.extra, size: 4, initial: 0, writable: 0xffff_ffff },
  ]);
}
