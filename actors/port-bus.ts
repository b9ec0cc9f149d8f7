/**
 * I/O ports and memory-mapped registers of one thread: addresses to handlers, by a table for ports and a scan for MMIO.
 *
 * Fixed claims come from the devices' own declarations; PCI functions add theirs while their BARs decode, after which the
 * host bridge's generation changes and each thread rebuilds its own table. An access goes to the handler of its first
 * port. Ports that nobody claims float high: that is the handler in slot 0.
 */
import type { Gpa, Port } from "../shared/brand.js";
import { allOnes, takesRepeated } from "../shared/io.js";
import type { AccessSize, IoHandler, MmioRange, PortRange } from "../shared/io.js";
import type { IoExit, KvmRun, MmioExit } from "./host/exit.js";
import { trace } from "./trace.js";

const PORTS = 65_536;

/** Nothing is there: reads give all ones, writes vanish. */
const UNCLAIMED: IoHandler = {
  read: (_offset, size) => allOnes(size),
  write: () => undefined,
};

/** What PCI functions decode now. */
export interface DynamicDecodes {
  generation(): number;
  decodes(): readonly {
    readonly kind: "io" | "mmio";
    readonly base: number;
    readonly length: number;
    readonly handler: IoHandler;
  }[];
}

export class PortBus {
  readonly #fixed = new Uint16Array(PORTS);
  #slots = this.#fixed;
  readonly #handlers: IoHandler[] = [UNCLAIMED];
  readonly #bases: number[] = [0];
  #mmio: readonly MmioRange[] = [];
  readonly #fixedMmio: MmioRange[] = [];
  readonly #owners = new Map<number, string>([[0, "nothing"]]);
  #dynamic: DynamicDecodes | undefined;
  #generation = -1;

  /** @throws Error when two devices claim the same port: the machine's table is wrong */
  attach(owner: string, ranges: readonly PortRange[]): void {
    for (const { base, length, handler } of ranges) {
      const slot = this.#add(base, handler);
      this.#owners.set(slot, owner);
      for (let port = base as number; port < base + length; port++) {
        const claimed = this.#fixed[port] ?? 0;
        if (claimed !== 0) {
          const other = this.#owners.get(claimed) ?? "another device";
          throw new Error(`Cannot attach ${owner}: port 0x${port.toString(16)} is already claimed by ${other}`);
        }
        this.#fixed[port] = slot;
      }
    }
  }

  attachMmio(ranges: readonly MmioRange[]): void {
    this.#fixedMmio.push(...ranges);
    this.#mmio = this.#fixedMmio;
  }

  /** Adds what PCI functions decode, after all fixed claims. */
  attachDynamic(dynamic: DynamicDecodes): void {
    this.#dynamic = dynamic;
  }

  /** Who has fixed claims, for the machine map's check. */
  ownerOf(port: Port): string {
    return this.#owners.get(this.#fixed[port] ?? 0) ?? "nothing";
  }

  /** Carries out an I/O exit: `count` accesses whose data lies in the run area (`rep ins` and `rep outs` have many). */
  io(exit: IoExit, run: KvmRun): void {
    this.#refresh();
    const slot = this.#slots[exit.port] ?? 0;
    const handler = this.#handlers[slot] ?? UNCLAIMED;
    const offset = exit.port - (this.#bases[slot] ?? 0);
    const { size, write } = exit;
    const traced = trace.port.hasSubscribers;
    let at = exit.dataOffset;
    if (exit.count > 1 && !traced && takesRepeated(handler)) {
      const access = { offset, size, data: run.bytes.subarray(at, at + exit.count * size) };
      if (write) handler.writeRepeated(access);
      else handler.readRepeated(access);
      return;
    }
    for (let left = exit.count; left > 0; left--) {
      if (write) handler.write(offset, size, load(run, at, size));
      else store(run, at, size, handler.read(offset, size) >>> 0);
      if (traced) trace.port.publish({ port: exit.port, write, size, value: load(run, at, size), claimed: slot !== 0 });
      at += size;
    }
  }

  /** Carries out one write that KVM has kept for us. */
  write(port: number, size: AccessSize, value: number): void {
    this.#refresh();
    const slot = this.#slots[port] ?? 0;
    (this.#handlers[slot] ?? UNCLAIMED).write(port - (this.#bases[slot] ?? 0), size, value);
    if (trace.port.hasSubscribers) trace.port.publish({ port, write: true, size, value, claimed: slot !== 0 });
  }

  /** Carries out an MMIO exit of 1..8 bytes; odd lengths go as the largest aligned pieces. */
  mmio(exit: MmioExit, run: KvmRun): void {
    this.#refresh();
    let address = exit.address as number;
    let at = exit.dataOffset;
    const end = address + exit.size;
    const { write } = exit;
    const traced = trace.mmio.hasSubscribers;
    while (address < end) {
      const size = pieceSize(address, end - address);
      const range = this.#rangeAt(address, size);
      const handler = range?.handler ?? UNCLAIMED;
      const offset = address - (range?.base ?? 0);
      if (write) handler.write(offset, size, load(run, at, size));
      else store(run, at, size, handler.read(offset, size) >>> 0);
      if (traced) {
        trace.mmio.publish({ address, write, size, value: load(run, at, size), claimed: range !== undefined });
      }
      address += size;
      at += size;
    }
  }

  #rangeAt(address: number, size: number): MmioRange | undefined {
    for (const range of this.#mmio) {
      if (address >= range.base && address + size <= range.base + range.length) return range;
    }
    return undefined;
  }

  #refresh(): void {
    const dynamic = this.#dynamic;
    if (dynamic === undefined) return;
    const generation = dynamic.generation();
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#rebuild(dynamic);
  }

  /** Fixed claims first, then what PCI functions decode where nobody else is. */
  #rebuild(dynamic: DynamicDecodes): void {
    const slots = Uint16Array.from(this.#fixed);
    const mmio = [...this.#fixedMmio];
    this.#handlers.length = this.#owners.size;
    this.#bases.length = this.#owners.size;
    for (const { kind, base, length, handler } of dynamic.decodes()) {
      if (kind === "mmio") {
        mmio.push({ base: base as Gpa, length, handler });
        continue;
      }
      const slot = this.#add(base, handler);
      for (let port = base; port < Math.min(base + length, PORTS); port++) {
        if (slots[port] === 0) slots[port] = slot;
      }
    }
    this.#slots = slots;
    this.#mmio = mmio;
  }

  #add(base: number, handler: IoHandler): number {
    this.#bases.push(base);
    return this.#handlers.push(handler) - 1;
  }
}

function pieceSize(address: number, left: number): AccessSize {
  if (left >= 4 && address % 4 === 0) return 4;
  return left >= 2 && address % 2 === 0 ? 2 : 1;
}

function load(run: KvmRun, at: number, size: AccessSize): number {
  if (size === 1) return run.bytes[at] ?? 0;
  return size === 2 ? run.view.getUint16(at, true) : run.view.getUint32(at, true);
}

function store(run: KvmRun, at: number, size: AccessSize, value: number): void {
  if (size === 1) run.bytes[at] = value;
  else if (size === 2) run.view.setUint16(at, value, true);
  else run.view.setUint32(at, value, true);
}
