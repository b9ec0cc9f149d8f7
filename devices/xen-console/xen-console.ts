/**
 * A secondary PV console (hvc1 and on): a console ring that a front end under `device/console/N` offers by a grant.
 * The primary one needs no front end: its page and port are fixed, and a {@link ConsoleRing} is all there is to it.
 *
 * [CONSOLE] xen.git xen/include/public/io/console.h
 * [LINUX] linux.git drivers/tty/hvc/hvc_xen.c, xencons_connect_backend: which keys the front end writes
 */
import { PAGE_SIZE } from "../../shared/brand.js";
import type { DomId, EvtchnPort } from "../../shared/brand.js";
import type { Log } from "../../shared/log.js";
import type { GuestMemory } from "../../shared/memory.js";
import { BackendDevice } from "../../xen/xenbus/backend-device.js";
import type { BackendDriver, FrontendNodes } from "../../xen/xenbus/backend-device.js";
import type { NodeValues } from "../../xen/xenbus/device-nodes.js";
import type { StoreClient } from "../../xen/xenstore/client.js";
import { ConsoleRing } from "./console-ring.js";
import type { ConsoleInput, ConsoleOutput } from "./console-ring.js";

export interface XenConsoleHost {
  readonly store: StoreClient;
  readonly log: Log;
  readonly memory: GuestMemory;
  readonly grants: {
    /** Guest-physical address of the granted page, or -1. */
    map(ref: number, writable: boolean): number;
    unmap(ref: number, writable: boolean): void;
  };
  readonly ports: {
    /** Takes the guest's unbound `port`; its kicks wake the thread `owner`. False when it is no such port. */
    bindBackend(port: EvtchnPort, owner: number): boolean;
    unbindBackend(port: EvtchnPort): void;
    notifyGuest(port: EvtchnPort): void;
  };
  readonly output: ConsoleOutput;
  readonly input: ConsoleInput;
}

export interface XenConsoleConfig {
  readonly domid: DomId;
  /** 1 and up; 0 is the primary console. */
  readonly index: number;
  /** The thread that serves it, as event channels name it (`BackendOwner`). */
  readonly owner: number;
}

/** EVTCHN_FIFO_NR_CHANNELS: no kind of event channel has higher ports. */
const PORT_LIMIT = 1 << 17;
const MAX_GRANT_REF = 0xffff_ffff;

export class XenConsole implements BackendDriver {
  readonly device: BackendDevice;
  readonly ring: ConsoleRing;
  readonly #host: XenConsoleHost;
  readonly #owner: number;
  /** 0 while nothing is connected. */
  #port = 0 as EvtchnPort;
  #ringRef = 0;

  constructor(host: XenConsoleHost, config: XenConsoleConfig) {
    this.#host = host;
    this.#owner = config.owner;
    this.ring = new ConsoleRing({
      output: host.output,
      input: host.input,
      log: host.log,
      notify: () => {
        host.ports.notifyGuest(this.#port);
      },
    });
    this.device = new BackendDevice({
      store: host.store,
      log: host.log,
      address: { domid: config.domid, kind: "console", id: config.index },
      driver: this,
      nodes: { frontend: {}, backend: {} },
      connectOnInitialised: true,
      refused: "close",
    });
  }

  /** The port that its kicks arrive on, or 0. */
  get port(): EvtchnPort {
    return this.#port;
  }

  features(): NodeValues {
    return {};
  }

  connect(frontend: FrontendNodes): boolean {
    const { grants, memory, ports } = this.#host;
    const ref = frontend.readNumber("ring-ref", MAX_GRANT_REF);
    const port = frontend.readNumber("port", PORT_LIMIT - 1) as EvtchnPort | undefined;
    if (ref === undefined || port === undefined || port === 0) return false;
    const at = grants.map(ref, true);
    if (at < 0) return false;
    const region = memory.region(at, PAGE_SIZE);
    if (region === undefined || !ports.bindBackend(port, this.#owner)) {
      grants.unmap(ref, true);
      return false;
    }
    this.#port = port;
    this.#ringRef = ref;
    this.ring.attach(region, at - region.gpa);
    return true;
  }

  disconnect(done: () => void): void {
    this.ring.detach();
    this.#host.ports.unbindBackend(this.#port);
    this.#host.grants.unmap(this.#ringRef, true);
    this.#port = 0 as EvtchnPort;
    done();
  }
}
