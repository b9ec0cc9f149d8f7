/**
 * The board as a PC's firmware leaves it, for guests that start without firmware: BARs placed, interrupts routed,
 * functions enabled. All through configuration accesses that a guest could make.
 *
 * [PCI] PCI Local Bus Specification 2.1, 6.2.5.1 "Address maps": sizing
 */
import { PCI_WINDOW_END } from "../../shared/layout.js";
import { IDETIM, IDETIM_ENABLE } from "../ide/piix3-ide.js";
import { Command, Header } from "./config-space.js";
import type { PciFunction } from "./config-space.js";
import type { PciHostBridge } from "./host-bridge.js";
import { PIRQRC, pirqOf } from "./piix3.js";
import { PMIOSE, Piix4Register, SMB_HST_EN } from "./piix4-pm.js";

export interface TriggerControl {
  /** Bit n: IRQ n is level-triggered. */
  setTriggers(levelTriggered: number): void;
}

/** ISA interrupt of PIRQ A, B, C, D: the FADT's SCI keeps 9 to itself. The ACPI tables' link devices say the same. */
const PIRQ_IRQS = [10, 10, 11, 11] as const;
const PIIX_SLOT = 1;
const SCI_IRQ = 9;
/** PCI interrupts and the SCI. */
const LEVEL_TRIGGERED = (1 << 9) | (1 << 10) | (1 << 11);
/** Where the PM block is; the FADT says the same. */
export const PM_BASE = 0xb000;
/** The SMBus controller's registers: where SeaBIOS puts them, behind the PM block. */
const SMBUS_BASE = 0xb100;
/** BARs in I/O space go from here up: above the ISA devices, the PM block and SMBus. */
const IO_START = 0xc000;
const IO_END = 0x1_0000;

const BARS = 6;
const BAR_IO = 0x1;

interface Request {
  readonly pciFunction: PciFunction;
  readonly offset: number;
  readonly io: boolean;
  readonly length: number;
}

/** Call after the board's reset. BARs in memory go from `windowStart` up. */
export function setUpBoard(bridge: PciHostBridge, pic: TriggerControl, windowStart: number): void {
  pic.setTriggers(LEVEL_TRIGGERED);
  for (const pciFunction of bridge.functions) {
    if (pciFunction.name === "piix3") {
      const value = PIRQ_IRQS.reduce((routes, irq, pirq) => routes + irq * 2 ** (pirq * 8), 0);
      bridge.writeConfig(pciFunction, { offset: PIRQRC, size: 4, value });
    } else if (pciFunction.name === "piix4-pm") {
      bridge.writeConfig(pciFunction, { offset: Piix4Register.pmba, size: 4, value: PM_BASE });
      bridge.writeConfig(pciFunction, { offset: Piix4Register.pmregmisc, size: 1, value: PMIOSE });
      bridge.writeConfig(pciFunction, { offset: Piix4Register.smbba, size: 4, value: SMBUS_BASE });
      bridge.writeConfig(pciFunction, { offset: Piix4Register.smbhstcfg, size: 1, value: SMB_HST_EN });
    }
    if (pciFunction.name === "piix3-ide") enableIde(bridge, pciFunction);
    const pin = bridge.readConfig(pciFunction, Header.interruptPin, 1);
    if (pin === 0) continue;
    const value = routedIrq(pciFunction.slot, pin);
    bridge.writeConfig(pciFunction, { offset: Header.interruptLine, size: 1, value });
  }
  placeBars(bridge, windowStart);
}

/** Both channels answer, and the controller may access memory; placing its BAR lets I/O through. */
function enableIde(bridge: PciHostBridge, pciFunction: PciFunction): void {
  for (const offset of IDETIM) bridge.writeConfig(pciFunction, { offset, size: 2, value: IDETIM_ENABLE });
  bridge.writeConfig(pciFunction, { offset: Header.command, size: 2, value: Command.master });
}

/** ISA interrupt that this set-up gives to pin `pin` (1 = A) of a slot. */
export function routedIrq(slot: number, pin: number): number {
  // The PM function's interrupt is the SCI, which does not go through the routing.
  return slot === PIIX_SLOT && pin === 1 ? SCI_IRQ : (PIRQ_IRQS[pirqOf(slot, pin)] ?? SCI_IRQ);
}

/** Largest first, so that every BAR is aligned to its length without gaps. */
function placeBars(bridge: PciHostBridge, windowStart: number): void {
  const requests = bridge.functions.flatMap((pciFunction) => sizeBars(bridge, pciFunction));
  requests.sort((a, b) => b.length - a.length);
  let nextIo: number = IO_START;
  let nextMmio = windowStart;
  for (const { pciFunction, offset, io, length } of requests) {
    const start = Math.ceil((io ? nextIo : nextMmio) / length) * length;
    const end = start + length;
    if (end > (io ? IO_END : PCI_WINDOW_END)) {
      throw new RangeError(`Cannot place a BAR of ${pciFunction.name}: ${length} bytes do not fit`);
    }
    if (io) nextIo = end;
    else nextMmio = end;
    bridge.writeConfig(pciFunction, { offset, size: 4, value: start });
    const command = bridge.readConfig(pciFunction, Header.command, 2) | (io ? Command.io : Command.memory);
    bridge.writeConfig(pciFunction, { offset: Header.command, size: 2, value: command });
  }
}

function sizeBars(bridge: PciHostBridge, pciFunction: PciFunction): readonly Request[] {
  const requests: Request[] = [];
  for (let index = 0; index < BARS; index++) {
    const offset = Header.bar0 + index * 4;
    bridge.writeConfig(pciFunction, { offset, size: 4, value: 0xffff_ffff });
    const answer = bridge.readConfig(pciFunction, offset, 4);
    bridge.writeConfig(pciFunction, { offset, size: 4, value: 0 });
    if (answer === 0) continue;
    const io = (answer & BAR_IO) !== 0;
    const length = 0x1_0000_0000 - ((answer & (io ? ~0x3 : ~0xf)) >>> 0);
    requests.push({ pciFunction, offset, io, length });
  }
  return requests;
}
