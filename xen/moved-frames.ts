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
    for (let i = 0; i < MOVED_PAGES; i++) this.#overlays.unmap(this.#overlays.firstMoved + i);
  }

  /** How many there are. */
  get count(): number {
    let count = 0;
    for (let i = 0; i < MOVED_PAGES; i++) if (this.#overlays.frameOf(this.#overlays.firstMoved + i) >= 0) count++;
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
