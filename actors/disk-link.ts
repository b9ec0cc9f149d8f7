/** The device actor's end of its conversation with a disk actor, whatever the disk is attached by. */
import type { MessagePort } from "node:worker_threads";
import { BackendOwner } from "../xen/host.js";
import type { DiskEvent, DiskRequest, XenDiskEvent } from "./disk-protocol.js";
import type { Doorbell } from "./host/eventfd.js";
import type { OpenDisk } from "./host/open-file.js";
import { IoLink } from "./io-link.js";
import type { Quiesced } from "./io-protocol.js";

export class DiskLink {
  readonly index: number;
  readonly #link: IoLink<DiskRequest, Exclude<DiskEvent, Quiesced>>;
  /** Who waits for a change of the medium, in the order of asking. */
  readonly #changes: ((changed: boolean) => void)[] = [];

  constructor(index: number, control: MessagePort, doorbells: readonly Doorbell[]) {
    this.index = index;
    this.#link = new IoLink(control, doorbells[BackendOwner.disk0 + index]);
  }

  tell(request: DiskRequest): void {
    this.#link.tell(request);
  }

  /** Finishes what is under way and takes nothing new. */
  async quiesce(): Promise<void> {
    await this.#link.quiesce();
  }

  resume(): void {
    this.#link.resume();
  }

  /** Changes the medium of a CD drive; false when the guest has locked it in. */
  async changeMedium(disk: OpenDisk, force: boolean): Promise<boolean> {
    return new Promise((resolve) => {
      this.#changes.push(resolve);
      this.tell({ kind: "medium", disk, force });
    });
  }

  stop(): void {
    this.#link.stop();
  }

  /** Takes the messages that have come; those of a PV disk's plane go to `listener`. */
  poll(listener: (event: XenDiskEvent) => void): void {
    this.#link.poll((event) => {
      if (event.kind === "medium") this.#changes.shift()?.(event.changed);
      else listener(event);
    });
  }
}
