/** The device actor's end of its conversation with a disk actor, whatever the disk is attached by. */
import type { MessagePort } from "node:worker_threads";
import type { DiskEvent, OwnDiskRequest, XenDiskEvent } from "./disk-protocol.js";
import type { Doorbell } from "./host/eventfd.js";
import type { OpenDisk } from "./host/open-file.js";
import { IoLink } from "./io-link.js";
import type { Quiesced } from "./io-protocol.js";

export interface DiskLinkParts {
  readonly control: MessagePort;
  /** The actor's. */
  readonly bell: Doorbell | undefined;
  readonly call: (() => void) | undefined;
}

export class DiskLink {
  readonly index: number;
  /** Has the actor started; undefined once it has been called, and where the actor starts by itself. */
  #call: (() => void) | undefined;
  readonly #link: IoLink<OwnDiskRequest, Exclude<DiskEvent, Quiesced>>;
  /** Who waits for a change of the medium, in the order of asking. */
  readonly #changes: ((changed: boolean) => void)[] = [];

  /** `call` is for an actor that starts when it is first wanted; what it is told meanwhile waits for it. */
  constructor(index: number, parts: DiskLinkParts) {
    this.index = index;
    this.#link = new IoLink(parts.control, parts.bell);
    this.#call = parts.call;
  }

  tell(request: OwnDiskRequest): void {
    const call = this.#call;
    this.#call = undefined;
    call?.();
    this.#link.tell(request);
  }

  /** Finishes what is under way and takes nothing new. */
  async quiesce(): Promise<void> {
    if (this.#call === undefined) await this.#link.quiesce();
  }

  resume(): void {
    if (this.#call === undefined) this.#link.resume();
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
