/** A back end device on a store, with a driver that tells what it was asked for, and a guest that writes nodes. */
import { domId } from "../../../shared/brand.js";
import { logTo } from "../../../shared/log.js";
import { BackendDevice } from "../../../xen/xenbus/backend-device.js";
import type { BackendDeviceOptions, FrontendNodes } from "../../../xen/xenbus/backend-device.js";
import { StoreDriver } from "../xenstore/store-driver.js";

export const FRONTEND = "device/vbd/51712";
export const BACKEND = "/local/domain/0/backend/vbd/1/51712";

/** A device, its driver, and the guest. */
export class Bench {
  readonly driver = new StoreDriver();
  /** "connect 8", "disconnect", "features", "removed", in order. */
  readonly calls: string[] = [];
  readonly warnings: string[] = [];
  readonly device: BackendDevice;
  /** The driver lets go when {@link letGo} is called, not at once. */
  deferred = false;
  /** Called by a driver that is about to accept, or to let go in its own way. */
  onConnect: () => void = () => undefined;
  onDisconnect: ((done: () => void) => void) | undefined = undefined;
  #leaving: (() => void)[] = [];

  constructor(options: Partial<BackendDeviceOptions> = {}) {
    this.device = this.make(options);
    this.device.start();
    this.driver.store.dispatch();
  }

  make(options: Partial<BackendDeviceOptions> = {}): BackendDevice {
    return new BackendDevice({
      store: this.driver.client,
      log: logTo("xenbus", (record) => this.warnings.push(record.message)),
      address: { domid: domId(1), kind: "vbd", id: 51712 },
      driver: {
        features: () => {
          this.calls.push("features");
          return { "feature-flush-cache": 1 };
        },
        connect: (frontend) => this.#connect(frontend),
        disconnect: (done) => {
          this.calls.push("disconnect");
          if (this.onDisconnect !== undefined) this.onDisconnect(done);
          else if (this.deferred) this.#leaving.push(done);
          else done();
        },
      },
      nodes: { frontend: { "virtual-device": 51712 }, backend: { mode: "w" } },
      connectOnInitialised: true,
      refused: "wait",
      removed: () => this.calls.push("removed"),
      ...options,
    });
  }

  /** The guest writes a node of its own, and we look. */
  write(name: string, value: string | number): void {
    this.driver.ask(1, 0, `WRITE ${FRONTEND}/${name}|${value}`);
    this.driver.store.dispatch();
  }

  /** A front end that has connected. */
  connect(): void {
    this.write("ring-ref", 8);
    this.write("state", 3);
    this.write("state", 4);
  }

  /** The driver was asked to let go and has not. */
  get asked(): boolean {
    return this.#leaving.length > 0;
  }

  /** The driver has let go; says of how many connections. */
  letGo(): number {
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const done of leaving) done();
    this.driver.store.dispatch();
    return leaving.length;
  }

  state(): string {
    return this.driver.ask(1, 0, `READ ${BACKEND}/state|`);
  }

  #connect(frontend: FrontendNodes): boolean {
    const ring = frontend.readNumber("ring-ref", 0xffff_ffff);
    this.calls.push(`connect ${ring ?? "nothing"}`);
    if (ring === undefined || frontend.read("protocol") === "foo") return false;
    this.onConnect();
    return true;
  }
}
