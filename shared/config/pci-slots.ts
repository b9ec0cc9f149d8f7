/**
 * Who has which device number on the PCI bus.
 *
 * 0 is the i440FX, 1 the PIIX3 and what it holds, 2 the Xen platform device; everything that is configured comes after.
 */
import { configError } from "./config-error.js";
import { integer } from "./fields.js";

const FIRST_SLOT = 3;
/** PCI numbers 32 devices on a bus. */
const LAST_SLOT = 31;

export const slotSchema = integer(FIRST_SLOT, LAST_SLOT);

/** A device by the path of its setting, with the slot asked for. */
export interface SlotRequest {
  readonly path: string;
  readonly slot: number | undefined;
}

export class PciSlots {
  readonly #of = new Map<string, number>();

  /**
   * Slots that were asked for are given out before any other; the rest go, lowest first, in the order of the requests.
   *
   * @throws VmmError CONFIG when two devices want the same, or there are too many
   */
  constructor(requests: readonly SlotRequest[]) {
    const taken = new Map<number, string>();
    for (const { path, slot } of requests) {
      if (slot === undefined) continue;
      const other = taken.get(slot);
      if (other !== undefined) throw configError(path, `${slot} is taken by ${other}`);
      taken.set(slot, path);
      this.#of.set(path, slot);
    }
    let next = FIRST_SLOT;
    for (const { path, slot } of requests) {
      if (slot !== undefined) continue;
      while (taken.has(next)) next++;
      if (next > LAST_SLOT) throw configError(path, `no PCI slot is free: there are ${LAST_SLOT - FIRST_SLOT + 1}`);
      taken.set(next, path);
      this.#of.set(path, next);
    }
  }

  of(path: string): number {
    const slot = this.#of.get(path);
    if (slot === undefined) throw new RangeError(`No slot was asked for by ${path}`);
    return slot;
  }
}
