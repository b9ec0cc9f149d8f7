/**
 * The messages of PCI functions: to Xen when they stand for a PIRQ, to the local APICs when they are addressed to them, to
 * memory otherwise, as a message is a memory write.
 *
 * [SDM] Intel SDM volume 3, 11.11.1 "Message address register format"
 */
import type { GuestMemory } from "../shared/memory.js";
import { pirqOfMessage } from "../devices/pci/msi-sink.js";
import type { MessageSource, MsiSink } from "../devices/pci/msi-sink.js";

export interface PciMessagesHost {
  /** Sends an MSI; true when a local APIC took it. */
  signalApic(address: number, data: number): boolean;
  /** Raises the event channel of a PIRQ for messages; false when `pirq` is none. */
  raisePirq(pirq: number): boolean;
  isPirqBound(pirq: number): boolean;
  memory(): GuestMemory;
}

const APIC_WINDOW = 0xfee0_0000;
const APIC_WINDOW_BITS = 0xfff0_0000;
const HIGH = 0x1_0000_0000;
const MESSAGE_BYTES = 4;

export class PciMessages implements MsiSink {
  readonly #host: PciMessagesHost;
  readonly #sources: MessageSource[] = [];

  constructor(host: PciMessagesHost) {
    this.#host = host;
  }

  signal(low: number, high: number, data: number): boolean {
    const pirq = pirqOfMessage(low, high, data);
    if (pirq !== 0 && this.#host.raisePirq(pirq)) return true;
    if (high === 0 && (low & APIC_WINDOW_BITS) >>> 0 === APIC_WINDOW) return this.#host.signalApic(low, data);
    const address = high * HIGH + low;
    const region = this.#host.memory().region(address, MESSAGE_BYTES);
    region?.view.setUint32(address - region.gpa, data, true);
    return region !== undefined;
  }

  isPirqBound(pirq: number): boolean {
    return this.#host.isPirqBound(pirq);
  }

  enlist(source: MessageSource): void {
    this.#sources.push(source);
  }

  /** The guest bound `pirq` to an event channel or let go of it. Without locks held. */
  pirqChanged(pirq: number, bound: boolean): void {
    for (const source of this.#sources) source.pirqChanged(pirq, bound);
  }

  /** Whether a function's registers hold the message that stands for `pirq`. */
  isPirqHeld(pirq: number): boolean {
    return this.#sources.some((source) => source.holdsPirq(pirq));
  }
}
