/**
 * PV disk, control side: what it offers in xenstore, and which rings the data plane is to serve.
 *
 * [BLKIF] xen.git xen/include/public/io/blkif.h, back end XenBus nodes
 */
import type { DomId, EvtchnPort } from "../../shared/brand.js";
import type { Log } from "../../shared/log.js";
import { BackendDevice } from "../../xen/xenbus/backend-device.js";
import type { BackendDriver, FrontendNodes } from "../../xen/xenbus/backend-device.js";
import type { NodeValues } from "../../xen/xenbus/device-nodes.js";
import type { Vdev } from "../../shared/config/vdev.js";
import { XenbusState } from "../../xen/xenbus/xenbus-state.js";
import type { StoreClient } from "../../xen/xenstore/client.js";
import { VdiskInfo } from "./blkif-abi.js";
import { MAX_SEGMENTS, SECTOR_SIZE } from "../block-backend.js";
import type { DiskConnection, DiskPlane, DiskPlaneEvents } from "./disk-plane.js";
import { MAX_RING_PAGE_ORDER, readFrontEnd } from "./front-end-keys.js";

/** The back ends' half of event channels. */
export interface BackendPorts {
  /** Takes the guest's unbound `port`; its kicks wake the thread `owner`. False when it is no such port. */
  bindBackend(port: EvtchnPort, owner: number): boolean;
  unbindBackend(port: EvtchnPort): void;
}

export interface XenDiskHost {
  readonly store: StoreClient;
  readonly log: Log;
  readonly ports: BackendPorts;
  readonly plane: DiskPlane;
  /** Whether the guest's kernel is a 64-bit one. */
  longMode(): boolean;
  /** The disk was unplugged, and the data plane has let go of it. */
  removed(): void;
}

export interface XenDiskConfig {
  readonly domid: DomId;
  readonly vdev: Vdev;
  readonly media: "disk" | "cdrom";
  /** A CD is read-only whatever this says. */
  readonly readOnly: boolean;
  /** Size in sectors of 512 bytes. */
  readonly sectors: number;
  /** The storage's own block size, in bytes: a multiple of 512. */
  readonly physicalSectorSize: number;
  /** Bytes that are freed at once, and where the first such extent starts; undefined when discards are not offered. */
  readonly discard: { readonly granularity: number; readonly alignment: number } | undefined;
  /** Most rings that the data plane serves for this disk. */
  readonly maxQueues: number;
  /** The disk actor, as event channels name it (`BackendOwner`). */
  readonly owner: number;
}

export class XenDisk implements BackendDriver, DiskPlaneEvents {
  readonly device: BackendDevice;
  readonly #host: XenDiskHost;
  readonly #config: XenDiskConfig;
  #sectors: number;
  /** Ports that the data plane uses. */
  #ports: EvtchnPort[] = [];
  /** What the data plane says is about the connection that it was given last. */
  #serving = false;
  /** The answer that the data plane owes: one at most, as nothing is connected before it has come. */
  #disconnected: (() => void) | undefined = undefined;

  constructor(host: XenDiskHost, config: XenDiskConfig) {
    this.#host = host;
    this.#config = config;
    this.#sectors = config.sectors;
    this.device = new BackendDevice({
      store: host.store,
      log: host.log,
      address: { domid: config.domid, kind: "vbd", id: config.vdev.number },
      driver: this,
      nodes: {
        frontend: { "virtual-device": config.vdev.number, "device-type": config.media },
        backend: { dev: config.vdev.name, "device-type": config.media, mode: this.#readOnly ? "r" : "w" },
      },
      connectOnInitialised: true,
      refused: "close",
      removed: () => {
        host.removed();
      },
    });
  }

  /** Offers and properties at once: no property of ours depends on the front end. */
  features(): NodeValues {
    const { discard, maxQueues, physicalSectorSize } = this.#config;
    return {
      "feature-flush-cache": 1,
      // A barrier orders the requests of its own ring only.
      "feature-barrier": maxQueues === 1 ? 1 : 0,
      "feature-persistent": 1,
      "feature-max-indirect-segments": MAX_SEGMENTS,
      "max-ring-page-order": MAX_RING_PAGE_ORDER,
      "max-ring-pages": 1 << MAX_RING_PAGE_ORDER,
      "multi-queue-max-queues": maxQueues,
      ...(discard === undefined
        ? {}
        : {
            "feature-discard": 1,
            "discard-granularity": discard.granularity,
            "discard-alignment": discard.alignment,
            "discard-secure": 0,
          }),
      info: this.#info,
      // Always 512: front ends that know no other would misread every number ([BLKIF] sector-size).
      "sector-size": SECTOR_SIZE,
      "physical-sector-size": physicalSectorSize,
      sectors: this.#sectors,
    };
  }

  connect(frontend: FrontendNodes): boolean {
    const { maxQueues, owner } = this.#config;
    const nativeAbi = this.#host.longMode() ? "x86_64-abi" : "x86_32-abi";
    const connection = readFrontEnd(frontend, { maxQueues, nativeAbi });
    if (typeof connection === "string") return this.#refuse(connection);
    if (!this.#bind(connection, owner)) return this.#refuse("its event channel cannot be bound");
    this.#serving = true;
    this.#host.plane.connect(connection);
    return true;
  }

  /** The ports stay bound until the data plane answers: until then it may notify them. */
  disconnect(done: () => void): void {
    this.#serving = false;
    this.#disconnected = done;
    this.#host.plane.disconnect();
  }

  stopped(reason: string): void {
    // From a connection that is being left already: nobody asks any more.
    if (this.#serving) this.device.fail(reason);
  }

  disconnected(): void {
    const done = this.#disconnected;
    if (done === undefined) return;
    this.#disconnected = undefined;
    for (const port of this.#ports) this.#host.ports.unbindBackend(port);
    this.#ports = [];
    done();
  }

  /** Lets go of the guest, for a machine that resets or ends, leaving the nodes; `done` when the data plane has. */
  release(done: () => void): void {
    this.device.abandon(done);
  }

  /** The storage has another size now, in sectors of 512 bytes. A front end that is connected sees it at once. */
  resize(sectors: number): void {
    this.#sectors = sectors;
    const { state } = this.device;
    if (state === XenbusState.initWait || state === XenbusState.connected) this.device.announce({ sectors });
  }

  get #readOnly(): boolean {
    return this.#config.readOnly || this.#config.media === "cdrom";
  }

  get #info(): number {
    const kind = this.#config.media === "cdrom" ? VdiskInfo.cdrom : 0;
    return kind | (this.#readOnly ? VdiskInfo.readOnly : 0);
  }

  /** Binds the port of every queue, or none. */
  #bind(connection: DiskConnection, owner: number): boolean {
    for (const { port } of connection.queues) {
      if (!this.#host.ports.bindBackend(port, owner)) {
        for (const bound of this.#ports) this.#host.ports.unbindBackend(bound);
        this.#ports = [];
        return false;
      }
      this.#ports.push(port);
    }
    return true;
  }

  #refuse(reason: string): false {
    this.device.fail(reason);
    return false;
  }
}
