/**
 * PCI configuration mechanism #1 for bus 0, and the word by which every thread learns that decoding changed.
 *
 * [PCI] PCI Local Bus Specification 2.1, 3.7.4.1 "Configuration mechanism #1"
 */
import type { SharedArena } from "../../shared/arena.js";
import { port } from "../../shared/brand.js";
import { allOnes } from "../../shared/io.js";
import type { AccessSize, Device, PortRange } from "../../shared/io.js";
import { Lock } from "../../shared/lock.js";
import { restoreChip, saveChip } from "../chip-state.js";
import type { ChipState } from "../chip-state.js";
import type { PciDecode, PciFunction } from "./config-space.js";

/** CONFIG_ADDRESS. [PCI] figure 3-21 */
const Address = { enable: 0x8000_0000, writable: 0x80ff_fffc, registers: 0xfc, bus: 0xff_0000 } as const;
const DATA_PORTS = 4;
/** Device and function numbers of a bus. */
const PLACES = 256;
const VERSION = 2;

const ADDRESS = 0;
const GENERATION = 1;

/** The bridge's own state and that of every function, by name. */
export interface PciState {
  readonly bridge: ChipState;
  readonly functions: Readonly<Record<string, ChipState>>;
}

export class PciHostBridge implements Device {
  readonly name = "pci-host-bridge";
  readonly ports: readonly PortRange[];
  readonly functions: readonly PciFunction[];
  readonly #lock: Lock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** A bit for each place whose function has left the bus. */
  readonly #gone: Int32Array<SharedArrayBuffer>;
  readonly #decodesChanged: () => void;
  /** By device and function number. */
  readonly #table: readonly (PciFunction | undefined)[];

  /**
   * `decodesChanged` is called under the lock, and may ask functions what they decode.
   *
   * @throws Error when two functions want the same place
   */
  constructor(arena: SharedArena, functions: readonly PciFunction[], decodesChanged: () => void = () => undefined) {
    this.functions = functions;
    this.#decodesChanged = decodesChanged;
    this.#lock = new Lock(arena.int32(1));
    this.#words = arena.int32(2);
    this.#gone = arena.int32(PLACES / 32);
    const table: (PciFunction | undefined)[] = new Array<undefined>(PLACES).fill(undefined);
    for (const pciFunction of functions) {
      const place = placeOf(pciFunction);
      const other = table[place];
      if (other !== undefined) {
        throw new Error(`Cannot put ${pciFunction.name} on the PCI bus: ${other.name} is in its place`);
      }
      table[place] = pciFunction;
    }
    this.#table = table;
    this.ports = [
      {
        // One port long: the register answers dword accesses only, and 0xcf9 is another device's.
        base: port(0xcf8),
        length: 1,
        handler: {
          read: (_offset, size) => (size === 4 ? this.#address() : allOnes(size)),
          write: (_offset, size, value) => {
            // Bits that are not there read back as 0. Narrower accesses do not reach the register. [PCI] 3.7.4.1
            if (size === 4) Atomics.store(this.#words, ADDRESS, value & Address.writable);
          },
        },
      },
      {
        base: port(0xcfc),
        length: DATA_PORTS,
        handler: {
          read: (offset, size) => this.#readData(offset, size),
          write: (offset, size, value) => {
            this.#writeData(offset, size, value);
          },
        },
      },
    ];
  }

  reset(): void {
    this.#lock.hold(() => {
      Atomics.store(this.#words, ADDRESS, 0);
      this.#gone.fill(0);
      for (const pciFunction of this.functions) pciFunction.reset();
      this.#bump();
    });
  }

  save(): PciState {
    return {
      bridge: saveChip(VERSION, this.#words.subarray(ADDRESS, ADDRESS + 1), this.#gone),
      functions: Object.fromEntries(this.functions.map((pciFunction) => [pciFunction.name, pciFunction.save()])),
    };
  }

  /** @throws VmmError STATE when the state is another machine's */
  restore(state: PciState): void {
    restoreChip(state.bridge, VERSION, this.#words.subarray(ADDRESS, ADDRESS + 1), this.#gone);
    for (const pciFunction of this.functions) {
      pciFunction.restore(state.functions[pciFunction.name] ?? { version: 0, words: [] });
    }
    this.#lock.hold(() => {
      this.#bump();
    });
  }

  /** Changes whenever `decodes()` may. */
  generation(): number {
    return Atomics.load(this.#words, GENERATION);
  }

  /** What PCI functions decode now, in slot order: only what is enabled. */
  decodes(): readonly PciDecode[] {
    return this.#lock.hold(() =>
      this.functions
        .filter((pciFunction) => !this.#isGone(placeOf(pciFunction)))
        .flatMap((pciFunction) => pciFunction.decodes().filter(({ enabled }) => enabled)),
    );
  }

  /**
   * Takes a function off the bus until the next reset: its configuration space reads as ones, and it decodes nothing. The
   * function itself goes on with what it does; the caller sees to its end. False when it was gone already.
   */
  remove(pciFunction: PciFunction): boolean {
    return this.#lock.hold(() => {
      const place = placeOf(pciFunction);
      if (this.#isGone(place)) return false;
      Atomics.or(this.#gone, place >> 5, 1 << (place & 31));
      this.#bump();
      return true;
    });
  }

  isPresent(pciFunction: PciFunction): boolean {
    return !this.#isGone(placeOf(pciFunction));
  }

  /** A configuration access from our side, as firmware would do it. */
  readConfig(pciFunction: PciFunction, offset: number, size: AccessSize): number {
    return this.#lock.hold(() => pciFunction.readConfig(offset, size));
  }

  writeConfig(pciFunction: PciFunction, access: { offset: number; size: AccessSize; value: number }): void {
    this.#lock.hold(() => {
      if (pciFunction.writeConfig(access.offset, access.size, access.value)) this.#bump();
    });
  }

  #readData(offset: number, size: AccessSize): number {
    const address = this.#address();
    const pciFunction = this.#selected(address);
    if (pciFunction === undefined) return allOnes(size);
    const register = (address & Address.registers) + offset;
    return this.#lock.hold(() => {
      if (offset + size <= DATA_PORTS) return pciFunction.readConfig(register, size);
      // An access that runs past 0xcff leaves the window: those bytes float high.
      let value = allOnes(size);
      for (let byte = 0; offset + byte < DATA_PORTS; byte++) {
        value = (value & ~(0xff << (byte * 8))) | (pciFunction.readConfig(register + byte, 1) << (byte * 8));
      }
      return value >>> 0;
    });
  }

  #writeData(offset: number, size: AccessSize, value: number): void {
    const address = this.#address();
    const pciFunction = this.#selected(address);
    if (pciFunction === undefined) return;
    const register = (address & Address.registers) + offset;
    this.#lock.hold(() => {
      let changed = false;
      if (offset + size <= DATA_PORTS) {
        changed = pciFunction.writeConfig(register, size, value);
      } else {
        for (let byte = 0; offset + byte < DATA_PORTS; byte++) {
          changed = pciFunction.writeConfig(register + byte, 1, (value >>> (byte * 8)) & 0xff) || changed;
        }
      }
      if (changed) this.#bump();
    });
  }

  /** Nothing answers while the enable bit is clear, or on buses other than 0. */
  #selected(address: number): PciFunction | undefined {
    if ((address & Address.enable) === 0 || (address & Address.bus) !== 0) return undefined;
    const place = (address >>> 8) & 0xff;
    return this.#isGone(place) ? undefined : this.#table[place];
  }

  #isGone(place: number): boolean {
    return (Atomics.load(this.#gone, place >> 5) & (1 << (place & 31))) !== 0;
  }

  /** vCPUs share the register, as processors on a real board do: the guest locks around address and data. */
  #address(): number {
    return Atomics.load(this.#words, ADDRESS) >>> 0;
  }

  #bump(): void {
    Atomics.add(this.#words, GENERATION, 1);
    this.#decodesChanged();
  }
}

function placeOf(pciFunction: PciFunction): number {
  return (pciFunction.slot << 3) | pciFunction.function;
}
