/**
 * Where messages of PCI functions go: memory writes by hardware, most of them to a local APIC, some to Xen.
 *
 * [MSI_PIRQ] linux.git arch/x86/pci/xen.c, xen.git xen/arch/x86/hvm/irq.c: a message that stands for a PIRQ
 */

/** Any thread may send. Addresses come in two halves: all 64 bits count, and a number holds only 53 of them. */
export interface MsiSink {
  /** Carries the message out; false when nobody took it. */
  signal(low: number, high: number, data: number): boolean;
  /** Whether the guest has bound `pirq`, which it got for messages, to an event channel. */
  isPirqBound(pirq: number): boolean;
  /** Construction: every source that sends here hears of PIRQs. */
  enlist(source: MessageSource): void;
}

/** Something that holds messages a guest has programmed. */
export interface MessageSource {
  /** The guest bound `pirq`, or let go of it: vectors that stand for it are unmasked or masked, as Xen does. */
  pirqChanged(pirq: number, bound: boolean): void;
  /** Whether a message of its stands for `pirq`. */
  holdsPirq(pirq: number): boolean;
}

/**
 * The PIRQ that a message stands for, 0 for none. Vector 0 says so, as no interrupt has it; the number's low byte stands
 * in place of the destination id, the rest in the address's bits 40 to 63. [MSI_PIRQ]
 */
export function pirqOfMessage(low: number, high: number, data: number): number {
  if ((data & 0xff) !== 0) return 0;
  return (((low >>> 12) & 0xff) | (high & 0xffff_ff00)) >>> 0;
}
