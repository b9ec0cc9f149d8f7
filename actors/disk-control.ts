/** A PV disk's control side in the device actor: ties the xenbus device to its disk actor by messages. */
import { unreachable } from "../shared/errors.js";
import { XenDisk } from "../devices/xen-disk/xen-disk.js";
import { BackendOwner } from "../xen/host.js";
import type { XenDomain } from "../xen/xen-domain.js";
import type { StoreClient } from "../xen/xenstore/client.js";
import type { DiskLink } from "./disk-link.js";
import type { XenDiskEvent } from "./disk-protocol.js";
import type { OpenDisk } from "./host/open-file.js";
import type { MachineThread } from "./thread.js";

const SECTOR = 512;
/** What file systems of today free at once. */
const DISCARD_GRANULARITY = 4096;

export interface DiskControlParts {
  readonly thread: MachineThread;
  readonly domain: XenDomain;
  readonly store: StoreClient;
  readonly link: DiskLink;
  readonly disk: OpenDisk;
}

export class DiskControl {
  readonly #parts: DiskControlParts;
  readonly #xenDisk: XenDisk;

  constructor(parts: DiskControlParts) {
    const { thread, domain, store, disk, link } = parts;
    const { index } = link;
    const config = thread.config.disks[index];
    if (config?.attach.kind !== "xen") throw new RangeError(`There is no Xen disk ${index}`);
    this.#parts = parts;
    this.#xenDisk = new XenDisk(
      {
        store,
        log: thread.log,
        ports: domain.events,
        plane: {
          connect: (connection) => {
            link.tell({ kind: "connect", connection });
          },
          disconnect: () => {
            link.tell({ kind: "disconnect" });
          },
        },
        longMode: () => domain.domain.longMode,
        removed: () => undefined,
      },
      {
        domid: thread.config.xenDomid,
        vdev: config.attach.vdev,
        media: config.media,
        readOnly: config.readOnly,
        sectors: disk.bytes / SECTOR,
        physicalSectorSize: SECTOR,
        discard: config.discard === "unmap" ? { granularity: DISCARD_GRANULARITY, alignment: 0 } : undefined,
        maxQueues: 1,
        owner: BackendOwner.disk0 + index,
      },
    );
  }

  /** Offers the disk to a guest that has just been switched on. */
  start(): void {
    this.#xenDisk.device.start();
  }

  /** Lets go of the guest's rings. */
  async release(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#xenDisk.release(resolve);
    });
  }

  /** A message of the disk actor's. */
  handle(event: XenDiskEvent): void {
    switch (event.kind) {
      case "stopped":
        this.#parts.thread.log.warn("PV disk stopped", { disk: this.#parts.link.index, reason: event.reason });
        this.#xenDisk.stopped(event.reason);
        break;
      case "disconnected":
        this.#xenDisk.disconnected();
        break;
      default:
        unreachable(event);
    }
  }
}
