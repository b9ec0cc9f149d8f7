/**
 * 440FX host bridge, 00.0: what a guest finds in its configuration space.
 *
 * Not modelled: PAM and SMRAM. The memory below 1 MiB does not change with them; guests only read back what they wrote.
 *
 * [440FX] Intel 82441FX, 290549-001, 3.2 "PCI configuration space mapped registers"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize } from "../../shared/io.js";
import type { ChipState } from "../chip-state.js";
import { ConfigSpace } from "./config-space.js";
import type { PciDecode, PciFunction, PciRegister } from "./config-space.js";
import { BOARD_SUBSYSTEM } from "./piix3.js";

const PAM0 = 0x59;
const PAM_REGISTERS = 7;
const SMRAM = 0x72;

export class I440Fx implements PciFunction {
  readonly name = "i440fx";
  readonly slot = 0;
  readonly function = 0;
  readonly #config: ConfigSpace;

  constructor(arena: SharedArena) {
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
    return this.#config.write(offset, size, value);
  }

  decodes(): readonly PciDecode[] {
    return [];
  }

  reset(): void {
    this.#config.reset();
  }

  save(): ChipState {
    return this.#config.save();
  }

  restore(state: ChipState): void {
    this.#config.restore(state);
  }
}
