/**
 * 440FX host bridge, 00.0: the attribute map of the memory below 1 MiB, and what else a guest finds in its configuration
 * space.
 *
 * Not modelled: SMRAM. There is no system management mode, so its memory never opens; guests read back what they wrote.
 *
 * [440FX] Intel 82441FX, 290549-001, 3.2 "PCI configuration space mapped registers"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize } from "../../shared/io.js";
import type { ChipState } from "../chip-state.js";
import { ConfigSpace, touches } from "./config-space.js";
import type { PciDecode, PciFunction } from "./config-space.js";
import type { PciRegister } from "./pci-register.js";
import { PAM0, PAM_REGISTERS, PAM_SEGMENTS } from "./pam.js";
import type { PamChange } from "./pam.js";
import { BOARD_SUBSYSTEM } from "./piix3.js";

export interface I440FxHost {
  /** These segments have other attributes from now on. Called under the host bridge's lock, or with all vCPUs at rest. */
  pamChanged(changes: readonly PamChange[]): void;
}

/** [440FX] 3.2.21 */
const SMRAM = 0x72;
const ATTRIBUTES = 0x03;

export class I440Fx implements PciFunction {
  readonly name = "i440fx";
  readonly slot = 0;
  readonly function = 0;
  readonly #config: ConfigSpace;
  readonly #host: I440FxHost;

  constructor(arena: SharedArena, host: I440FxHost) {
    this.#host = host;
    const pam = Array.from({ length: PAM_REGISTERS }, (_, index): PciRegister => ({
      offset: PAM0 + index,
      size: 1,
      initial: 0,
      writable: index === 0 ? 0x30 : 0x33,
    }));
    this.#config = new ConfigSpace(arena, {
      identity: { vendor: 0x8086, device: 0x1237, revision: 2, classCode: 0x06_0000, ...BOARD_SUBSYSTEM },
      // Memory decoding and mastering are hard-wired on. [440FX] 3.2.3
      command: { initial: 0x0006, writable: 0x0100 },
      registers: [...pam, { offset: SMRAM, size: 1, initial: 0x02, writable: 0x78 }],
    });
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): boolean {
    if (!touches(offset, size, PAM0, PAM_REGISTERS)) return this.#config.write(offset, size, value);
    return this.#followPam(() => this.#config.write(offset, size, value));
  }

  /** Attributes of segment `segment` of PAM_SEGMENTS: bits of `Pam`. */
  pam(segment: number): number {
    const place = PAM_SEGMENTS[segment];
    return place === undefined ? 0 : (this.#config.read(place.register, 1) >> place.shift) & ATTRIBUTES;
  }

  decodes(): readonly PciDecode[] {
    return [];
  }

  reset(): void {
    this.#followPam(() => {
      this.#config.reset();
    });
  }

  save(): ChipState {
    return this.#config.save();
  }

  restore(state: ChipState): void {
    this.#followPam(() => {
      this.#config.restore(state);
    });
  }

  /** Carries out `change` and tells the host which segments it gave other attributes. */
  #followPam<T>(change: () => T): T {
    const before = PAM_SEGMENTS.map((_, segment) => this.pam(segment));
    const result = change();
    const changes = before.flatMap((attributes, segment) => {
      const now = this.pam(segment);
      return now === attributes ? [] : [{ segment, attributes: now }];
    });
    if (changes.length > 0) this.#host.pamChanged(changes);
    return result;
  }
}
