/**
 * The PC's board: every chip, wired to the others and to the buses. Built in every thread over the same shared state, in
 * the same order, so that a chip's registers are the same wherever its code runs.
 */

import type { SharedArena } from "../shared/arena.js";
import type { ByteRing } from "../shared/byte-ring.js";
import type { ResolvedConfig } from "../shared/config.js";
import type { Device, IoHandler } from "../shared/io.js";
import { splitRam } from "../shared/layout.js";
import type { Log } from "../shared/log.js";
import { AcpiPm } from "../devices/acpi-pm.js";
import { CmosRtc } from "../devices/cmos-rtc.js";
import { DebugExit } from "../devices/debug-exit.js";
import { DebugPort } from "../devices/debug-port.js";
import { FwCfg, FwCfgKey } from "../devices/fw-cfg.js";
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
import { Piix3 } from "../devices/pci/piix3.js";
import { Piix4Pm } from "../devices/pci/piix4-pm.js";
import { Port92 } from "../devices/port92.js";
import { ResetControl } from "../devices/reset-control.js";
import { Uart16550 } from "../devices/uart16550.js";
import { XenPlatform } from "../devices/xen-platform.js";
import { BoardDeadline } from "./deadlines.js";
import { LEGACY_PORTS, SERIAL_PORTS, STUB_PORTS } from "./machine-map.js";
import { PortBus } from "./port-bus.js";

export interface BoardHost {
  readonly log: Log;
  nowNs(): number;
  /** The host's wall clock as the guest's RTC should show it: milliseconds since 1970. */
  wallClock(): number;
  arm(deadline: number, ns: number): void;
  /** Sends an MSI; true when a local APIC took it. */
  signal(address: number, data: number): boolean;
  /** The 8259 pair's output rose or fell. */
  intr(level: 0 | 1): void;
  /** The IOAPIC's entry `pin` changed. */
  routesChanged(): void;
  /** True when Xen has taken `gsi` as a PIRQ, so that the IOAPIC must not see it. */
  gsiTaken(gsi: number, level: 0 | 1): boolean;
  /** There is output in a serial port's ring, or room in its input ring: the device actor should look. */
  serial(): void;
  resetMachine(): void;
  powerOff(): void;
  debugExit(code: number): void;
  unplug(mask: number): void;
  /** A line that the guest wrote to the Xen platform device's log port or the debug port. */
  guestLine(source: "xen-platform" | "debugcon", text: string): void;
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
  readonly acpiPm: AcpiPm;
  readonly bridge: PciHostBridge;
  readonly piix3: Piix3;
  readonly xenPlatform: XenPlatform | undefined;
  readonly serials: readonly (Serial | undefined)[];
  /** The line of Xen's callback by GSI or INTx. */
  readonly callbackLine: MovableLine;
  readonly #devices: readonly Device[];

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
      { lowRamBytes: low, highRamBytes: high, vcpus: config.vcpus.count },
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
    this.xenPlatform =
      config.accel.xenVersion === 0
        ? undefined
        : new XenPlatform(arena, {
            unplug: (mask) => {
              host.unplug(mask);
            },
            log: (line) => {
              host.guestLine("xen-platform", line);
            },
          });
    this.bridge = new PciHostBridge(arena, [
      new I440Fx(arena),
      this.piix3,
      new Piix4Pm(arena, this.acpiPm.pmIo),
      ...(this.xenPlatform === undefined ? [] : [this.xenPlatform]),
    ]);
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
    this.callbackLine = this.router.movable();
    this.#devices = [
      this.i8259,
      this.ioapic,
      this.i8254,
      this.rtc,
      this.acpiPm,
      i8042,
      new Port92(arena, { reset }),
      new ResetControl(arena, { reset }),
      this.bridge,
      new FwCfg(arena, fwCfgItems(config), []),
      ...(this.xenPlatform === undefined ? [] : [this.xenPlatform]),
      ...serials.flatMap((serial) => (serial === undefined ? [] : [serial.device])),
      ...optionalDevices(arena, config, host),
    ];
    this.#attach();
  }

  /** Power-on state, as firmware would leave it. One thread, with all vCPUs at rest. */
  reset(): void {
    this.router.reset();
    for (const device of this.#devices) device.reset();
    setUpBoard(this.bridge, this.i8259);
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

/** Ports that guests write for a delay or to show progress: nothing to see. */
const STUB: IoHandler = { read: () => 0, write: () => undefined };

function optionalDevices(arena: SharedArena, config: ResolvedConfig, host: BoardHost): readonly Device[] {
  const devices: Device[] = [];
  const { debugExit, debugcon } = config;
  if (debugExit !== undefined) {
    devices.push(
      new DebugExit(debugExit, {
        exit: (code) => {
          host.debugExit(code);
        },
      }),
    );
  }
  if (debugcon !== undefined) {
    devices.push(
      new DebugPort(arena, debugcon.iobase, {
        line: (text) => {
          host.guestLine("debugcon", text);
        },
      }),
    );
  }
  return devices;
}

function fwCfgItems(config: ResolvedConfig): readonly { readonly key: number; readonly data: Uint8Array }[] {
  return [
    { key: FwCfgKey.ramSize, data: little(config.memoryBytes, 8) },
    { key: FwCfgKey.nbCpus, data: little(config.vcpus.count, 2) },
    { key: FwCfgKey.maxCpus, data: little(config.vcpus.maxCpus, 2) },
    { key: FwCfgKey.noGraphic, data: little(1, 2) },
  ];
}

function little(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
}
