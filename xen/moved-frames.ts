/**
 * RAM at frames where the machine has none: a guest may move a frame of its RAM there, or have one put there.
 *
 * [MEMORY] xen.git xen/include/public/memory.h (XENMAPSPACE_gmfn, XENMEM_populate_physmap)
 *
 * Each is an overlay page of those behind Xen's own, and free while it appears nowhere. It is RAM to the guest: it can be
 * granted, ballooned out and moved back. Not modelled: more than MOVED_PAGES of them.
 */
import { Errno } from "./abi/errno.js";
import { MOVED_PAGES } from "./domain-config.js";
import type { Overlays } from "./overlays.js";

export class MovedFrames {
  readonly #overlays: Overlays;

  constructor(overlays: Overlays) {
    this.#overlays = overlays;
  }

  /** There are none: for a new domain. They stay when one resets itself softly. */
  reset(): void {
    const { firstMoved, pages } = this.#overlays;
    for (let page = firstMoved; page < pages; page++) if (this.#overlays.frameOf(page) >= 0) this.#overlays.unmap(page);
  }

  /** How many there are. */
  get count(): number {
    const { firstMoved, pages } = this.#overlays;
    let count = 0;
    for (let page = firstMoved; page < pages; page++) if (this.#overlays.frameOf(page) >= 0) count++;
    return count;
  }

  /** Puts RAM with `contents`, or zeros, at `frame`: 0, or the error. A page of ours that is there goes away. */
  place(frame: number, contents?: Uint8Array): number {
    if (this.count === MOVED_PAGES) return Errno.ENOMEM;
    return this.#overlays.mapMoved(frame, contents) ? 0 : Errno.EINVAL;
  }

  /** Takes the RAM at `frame` away; false when none was put there. */
  drop(frame: number): boolean {
    const page = this.#overlays.pageAt(frame);
    if (page < this.#overlays.firstMoved) return false;
    this.#overlays.unmap(page);
    return true;
  }
}
