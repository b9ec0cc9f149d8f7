/**
 * The PC's board: every chip, wired to the others and to the buses. Built in every thread over the same shared state, in
 * the same order, so that a chip's registers are the same wherever its code runs.
 */

import type { SharedArena } from "../shared/arena.js";
import type { ByteRing } from "../shared/byte-ring.js";
import type { ResolvedConfig } from "../shared/config.js";
import type { Device, IoHandler } from "../shared/io.js";
import { ONE_MIB, OPTION_ROM_START, pciWindowStart, splitRam } from "../shared/layout.js";
import type { Log } from "../shared/log.js";
import type { GuestMemory } from "../shared/memory.js";
import { AcpiPm } from "../devices/acpi-pm.js";
import type { CmosBoard } from "../devices/cmos-memory.js";
import { CmosRtc } from "../devices/cmos-rtc.js";
import { DebugExit } from "../devices/debug-exit.js";
import { DebugPort } from "../devices/debug-port.js";
import { firmwareFiles, firmwareItems, little } from "../devices/boot/firmware/files.js";
import { FwCfg, FwCfgKey } from "../devices/fw-cfg.js";
import type { FwCfgItem } from "../devices/fw-cfg.js";
import { I8042 } from "../devices/i8042.js";
import { I8254 } from "../devices/i8254.js";
import { I8259 } from "../devices/i8259.js";
import { IoApic } from "../devices/ioapic.js";
import { IrqRouter } from "../devices/irq-router.js";
import type { MovableLine } from "../devices/irq-router.js";
import { IsaSerial } from "../devices/isa-serial.js";
import { setUpBoard } from "../devices/pci/board-setup.js";
import { PciHostBridge } from "../devices/pci/host-bridge.js";
import { I440Fx } from "../devices/pci/i440fx.js";
import type { MsiSink } from "../devices/pci/msi-sink.js";
import { ShadowRam } from "../devices/pci/pam.js";
import type { PamChange } from "../devices/pci/pam.js";
import { Piix3 } from "../devices/pci/piix3.js";
import { Piix4Pm } from "../devices/pci/piix4-pm.js";
import { Port92 } from "../devices/port92.js";
import { ResetControl } from "../devices/reset-control.js";
import { Uart16550 } from "../devices/uart16550.js";
import type { VirtioPci } from "../devices/virtio/virtio-pci.js";
import { XEN_DEBUG_PORT, XenDebugPort } from "../devices/xen-debug-port.js";
import { XenPlatform } from "../devices/xen-platform.js";
import { configuredDevice } from "./configured-devices.js";
import { BoardDeadline } from "./deadlines.js";
import { firmwareConfig } from "./firmware-config.js";
import { handleBytes } from "./guest-layout.js";
import { IdeDrives } from "./ide-drives.js";
import type { ShadowBytes } from "./guest-layout.js";
import { LEGACY_PORTS, SERIAL_PORTS, STUB_PORTS } from "./machine-map.js";
import { PortBus } from "./port-bus.js";
import { virtioDisks } from "./virtio-disks.js";
import type { VirtioDisk } from "./virtio-disks.js";
import { virtioNics } from "./virtio-nets.js";
import type { VirtioNic } from "./virtio-nets.js";

export interface BoardHost {
  readonly log: Log;
  /** RAM and ROM that the attribute map chooses between; undefined when there is no firmware. */
  readonly shadow: ShadowBytes | undefined;
  /** Segments of the attribute map changed. Called under the host bridge's lock, or with all vCPUs at rest. */
  pamChanged(changes: readonly PamChange[]): void;
  nowNs(): number;
  /** The host's wall clock as the guest's RTC should show it: milliseconds since 1970. */
  wallClock(): number;
  arm(deadline: number, ns: number): void;
  /** Sends an MSI; true when a local APIC took it. */
  signal(address: number, data: number): boolean;
  /** What PCI functions reach by DMA. */
  readonly memory: GuestMemory;
  /** Where PCI functions send their MSIs. */
  readonly messages: MsiSink;
  /** Size of each disk when it was opened, in 512-byte sectors. */
  readonly diskSectors: readonly number[];
  /** PCI functions decode something else from now on. Called under the host bridge's lock. */
  decodesChanged(): void;
  /** The guest has work for the actor of disk `index`. */
  kickDisk(index: number): void;
  /** The guest has opened or closed a CD drive's tray: the device actor should look. Called under a channel's lock. */
  trayMoved(): void;
  /** The guest has work for the actor of network card `index`. */
  kickNet(index: number): void;
  /** The 8259 pair's output rose or fell. */
  intr(level: 0 | 1): void;
  /** The IOAPIC's entry `pin` changed. */
  routesChanged(): void;
  /** True when Xen has taken `gsi` as a PIRQ, so that the IOAPIC must not see it. */
  gsiTaken(gsi: number, level: 0 | 1): boolean;
  /** There is output in the ring of a serial port or the debug port, or room for input: the device actor should look. */
  serial(): void;
  resetMachine(): void;
  powerOff(): void;
  debugExit(code: number): void;
  unplug(mask: number): void;
  /** A line that the guest wrote to the Xen platform device's log port or to Xen's debug port, a character for each byte. */
  xenLine(text: string): void;
}

export interface Serial {
  readonly uart: Uart16550;
  readonly output: ByteRing;
  readonly input: ByteRing;
}

/** IRQ 0 arrives at IOAPIC pin 2, as the MADT's override says. */
const TIMER_GSI = 2;

export class Board {
  readonly bus = new PortBus();
  readonly i8259: I8259;
  readonly ioapic: IoApic;
  readonly router: IrqRouter;
  readonly i8254: I8254;
  readonly rtc: CmosRtc;
  /** Nobody reaches it, or the function that decodes it, in a machine without ACPI. */
  readonly acpiPm: AcpiPm;
  readonly bridge: PciHostBridge;
  readonly i440fx: I440Fx;
  readonly piix3: Piix3;
  readonly piix4: Piix4Pm;
  readonly xenPlatform: XenPlatform | undefined;
  readonly ide: IdeDrives;
  /** All virtio functions. */
  readonly virtio: readonly VirtioPci[];
  /** By index of the disk; undefined for those that are attached otherwise. */
  readonly virtioDisks: readonly (VirtioDisk | undefined)[];
  /** By index of the network card. */
  readonly nics: readonly VirtioNic[];
  readonly serials: readonly (Serial | undefined)[];
  readonly debugPort: DebugPort | undefined;
  /** The line of Xen's callback by GSI or INTx. */
  readonly callbackLine: MovableLine;
  readonly #devices: readonly Device[];
  readonly #firmware: boolean;
  readonly #pciWindowStart: number;

  constructor(arena: SharedArena, config: ResolvedConfig, host: BoardHost) {
    this.i8259 = new I8259(arena, {
      intr: (level) => {
        host.intr(level);
      },
    });
    this.ioapic = new IoApic(arena, {
      signal: (address, data) => host.signal(address, data),
      routesChanged: () => {
        host.routesChanged();
      },
    });
    this.router = new IrqRouter(arena, {
      set: (gsi, level) => {
        this.#setGsi(host, gsi, level);
      },
      intxGsi: (slot, pin) => this.piix3.intxGsi(slot, pin),
    });
    const timed = (deadline: number) => ({
      nowNs: () => host.nowNs(),
      arm: (ns: number) => {
        host.arm(deadline, ns);
      },
    });
    this.i8254 = new I8254(arena, { ...timed(BoardDeadline.pit), irq0: this.router.isa(0) });
    const { low, high } = splitRam(config.memoryBytes);
    this.rtc = new CmosRtc(
      arena,
      { ...timed(BoardDeadline.rtc), wallClock: () => host.wallClock(), irq8: this.router.isa(8) },
      { lowRamBytes: low, highRamBytes: high, vcpus: config.vcpus.count, ...bootOrder(config) },
    );
    this.acpiPm = new AcpiPm(arena, {
      ...timed(BoardDeadline.acpiPm),
      sci: this.router.isa(9),
      powerOff: () => {
        host.powerOff();
      },
    });
    const reset = (): void => {
      host.resetMachine();
    };
    const i8042 = new I8042(arena, { irq1: this.router.isa(1), irq12: this.router.isa(12), reset });
    this.piix3 = new Piix3(arena, {
      routesChanged: () => {
        this.router.routesChanged();
      },
    });
    const xenLine = (line: string): void => {
      host.xenLine(line);
    };
    this.xenPlatform =
      config.accel.xenVersion === 0
        ? undefined
        : new XenPlatform(arena, {
            unplug: (mask) => {
              host.unplug(mask);
            },
            log: xenLine,
          });
    this.piix4 = new Piix4Pm(arena, this.acpiPm.pmIo);
    this.i440fx = new I440Fx(arena, {
      pamChanged: (changes) => {
        host.pamChanged(changes);
      },
    });
    this.ide = new IdeDrives(arena, config.disks, { ...host, router: this.router });
    this.virtioDisks = virtioDisks(arena, config.disks, { ...host, router: this.router });
    this.nics = virtioNics(arena, config.nets, { ...host, router: this.router });
    this.virtio = [...this.nics, ...this.virtioDisks].flatMap((part) => (part === undefined ? [] : [part.pci]));
    const functions = [
      this.i440fx,
      this.piix3,
      this.ide.pci,
      ...(config.acpi ? [this.piix4] : []),
      ...(this.xenPlatform === undefined ? [] : [this.xenPlatform]),
      ...this.virtio,
      ...config.devices.map((device) => configuredDevice(arena, device, { ...host, router: this.router })),
    ];
    this.bridge = new PciHostBridge(arena, functions, () => {
      host.decodesChanged();
    });
    const serials = SERIAL_PORTS.map(({ base, irq, name }, index) => {
      const present = config.serials[index];
      if (present === undefined || present === null) return undefined;
      const serial = {
        irq: this.router.isa(irq),
        transmit: () => {
          host.serial();
        },
        receivable: () => {
          host.serial();
        },
      };
      const uart = new Uart16550(arena, serial);
      return { uart, output: uart.output, input: uart.input, device: new IsaSerial(name, base, uart) };
    });
    this.serials = serials;
    const { debugcon, debugExit } = config;
    this.debugPort =
      debugcon === undefined
        ? undefined
        : new DebugPort(arena, debugcon.iobase, {
            transmit: () => {
              host.serial();
            },
          });
    this.callbackLine = this.router.movable();
    this.#devices = [
      this.i8259,
      this.ioapic,
      this.i8254,
      this.rtc,
      ...(config.acpi ? [this.acpiPm] : []),
      i8042,
      new Port92(arena, { reset }),
      new ResetControl(arena, { reset }),
      this.bridge,
      this.#fwCfg(arena, config, host),
      ...(this.xenPlatform === undefined ? [] : [this.xenPlatform]),
      ...serials.flatMap((serial) => (serial === undefined ? [] : [serial.device])),
      ...(this.debugPort === undefined ? [] : [this.debugPort]),
      ...(hasXenDebugPort(config) ? [new XenDebugPort(arena, { log: xenLine })] : []),
      ...(debugExit === undefined
        ? []
        : [
            new DebugExit(debugExit, {
              exit: (code) => {
                host.debugExit(code);
              },
            }),
          ]),
    ];
    this.#firmware = host.shadow !== undefined;
    this.#pciWindowStart = pciWindowStart(config.memoryBytes);
    if (host.shadow !== undefined) this.#attachShadow(host.shadow);
    this.#attach();
  }

  /** Power-on state; without firmware, what that would have made of it. One thread, with all vCPUs at rest. */
  reset(): void {
    this.router.reset();
    this.ide.loadMedia();
    for (const device of this.#devices) device.reset();
    if (!this.#firmware) setUpBoard(this.bridge, this.i8259, this.#pciWindowStart);
  }

  /** Deadline `index` of {@link BoardDeadline} is due. */
  expire(index: number, nowNs: number): void {
    if (index === BoardDeadline.pit) this.i8254.expire(nowNs);
    else if (index === BoardDeadline.rtc) this.rtc.expire(nowNs);
    else this.acpiPm.expire(nowNs);
  }

  /** An interrupt line of ISA or PCI changed: the 8259 pair sees it, and either Xen or the IOAPIC. */
  #setGsi(host: BoardHost, gsi: number, level: 0 | 1): void {
    if (gsi < 16) this.i8259.set(gsi, level);
    const pin = gsi === 0 ? TIMER_GSI : gsi;
    if (!host.gsiTaken(pin, level)) this.ioapic.set(pin, level);
  }

  #fwCfg(arena: SharedArena, config: ResolvedConfig, host: BoardHost): FwCfg {
    const firmware = firmwareConfig(config);
    const items = fwCfgItems(config);
    if (firmware === undefined) return new FwCfg(arena, host.memory, { items, files: [] });
    const files = firmwareFiles(firmware, { pmBase: () => this.piix4.pmBase });
    return new FwCfg(arena, host.memory, { items: [...items, ...firmwareItems(firmware)], files });
  }

  #attachShadow(shadow: ShadowBytes): void {
    const handler = new ShadowRam({ ...shadow, attributes: (segment) => this.i440fx.pam(segment) });
    this.bus.attachMmio([{ base: OPTION_ROM_START, length: ONE_MIB - OPTION_ROM_START, handler }]);
  }

  #attach(): void {
    for (const device of this.#devices) this.bus.attach(device.name, device.ports);
    for (const { base, length, owner } of STUB_PORTS) {
      this.bus.attach(owner, [{ base, length, handler: STUB }]);
    }
    this.bus.attachMmio(this.ioapic.mmio);
    this.bus.attachDynamic(this.bridge);
    for (const { base, owner } of LEGACY_PORTS) {
      const actual = this.bus.ownerOf(base);
      if (actual !== owner && actual !== "nothing") {
        throw new Error(
          `Cannot build the board: the machine map gives port 0x${base.toString(16)} to ${owner}, not ${actual}`,
        );
      }
    }
  }
}

/** A device that somebody put at that port goes first. */
function hasXenDebugPort({ accel, debugcon, debugExit }: ResolvedConfig): boolean {
  const past = debugExit === undefined ? 0 : debugExit.iobase + debugExit.iosize;
  const inExit = debugExit !== undefined && XEN_DEBUG_PORT >= debugExit.iobase && XEN_DEBUG_PORT < past;
  return accel.xenVersion !== 0 && debugcon?.iobase !== XEN_DEBUG_PORT && !inExit;
}

/** Ports that guests write for a delay or to show progress: nothing to see. */
const STUB: IoHandler = { read: () => 0, write: () => undefined };

/** Nobody looks at it where a kernel is loaded without firmware. */
function bootOrder({ boot }: ResolvedConfig): Pick<CmosBoard, "bootOrder" | "bootOnce"> {
  return boot.kind === "firmware" ? { bootOrder: boot.order, bootOnce: boot.once } : { bootOrder: "" };
}

function fwCfgItems(config: ResolvedConfig): readonly FwCfgItem[] {
  return [
    { key: FwCfgKey.uuid, data: handleBytes(config.uuid) },
    { key: FwCfgKey.ramSize, data: little(config.memoryBytes, 8) },
    { key: FwCfgKey.nbCpus, data: little(config.vcpus.count, 2) },
    { key: FwCfgKey.maxCpus, data: little(config.vcpus.maxCpus, 2) },
    { key: FwCfgKey.noGraphic, data: little(1, 2) },
  ];
}
