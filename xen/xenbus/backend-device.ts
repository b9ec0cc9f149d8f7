/**
 * The back end of one paravirtual device on the bus: follows the front end's `state` and keeps its own.
 *
 * [XENBUS] xen.git xen/include/public/io/xenbus.h
 * [LINUX] linux.git drivers/xen/xenbus and drivers/block/xen-blkfront.c: what front ends do
 *
 *   front end                      back end
 *   Initialising                   lets go, InitWait: features are published
 *   Initialised or Connected       connects, Connected
 *   Closing                        Closing
 *   Closed, or gone, or nonsense   lets go, Closed
 *   Initialising again             InitWait again, while `online` is 1
 *
 * To let go takes as long as the driver's I/O does. Closed and InitWait tell a front end that its grants are its own
 * again, so they come after that; what the front end does meanwhile waits, and its latest state is acted on.
 *
 * The front end's directory is the guest's: it may hold anything at any time. Only its own fixed paths are read, never a
 * path that the guest wrote; each value is read once; and whatever the states do, connect and disconnect alternate.
 */
import { unreachable } from "../../shared/errors.js";
import { LogLimiter } from "../../shared/log.js";
import type { Log } from "../../shared/log.js";
import type { StoreClient, StoreWatch } from "../xenstore/client.js";
import { parseUnsigned } from "../xenstore/client.js";
import { createDevice, devicePaths, removeDevice } from "./device-nodes.js";
import type { DeviceAddress, DevicePaths, NodeValues } from "./device-nodes.js";
import { parseXenbusState, XenbusState } from "./xenbus-state.js";

/** What the front end has written about itself. Each read goes to the store: keep what you have checked. */
export interface FrontendNodes {
  read(name: string): string | undefined;
  /** An unsigned decimal number up to `max`; undefined when it is missing or anything else. */
  readNumber(name: string, max: number): number | undefined;
}

/** The device's own part. */
export interface BackendDriver {
  /** What the back end offers; written before InitWait, each time. */
  features(): NodeValues;
  /** Takes up the front end's rings. False, with nothing taken, when what it wrote cannot be used. */
  connect(frontend: FrontendNodes): boolean;
  /**
   * Lets go of all that connect took; `done` says that it has, at once or later. Called once for each connect that
   * returned true, and no connect comes before `done`.
   */
  disconnect(done: () => void): void;
}

export interface BackendDeviceOptions {
  readonly store: StoreClient;
  readonly log: Log;
  readonly address: DeviceAddress;
  readonly driver: BackendDriver;
  /** Nodes besides those that every device has; see `createDevice`. */
  readonly nodes: { readonly frontend: NodeValues; readonly backend: NodeValues };
  /** Network front ends have their keys complete only in Connected. */
  readonly connectOnInitialised: boolean;
  /** What a refused connect leads to: wait for a change of the front end's, or close. */
  readonly refused: "wait" | "close";
  /** The device has been unplugged and its nodes are gone. */
  removed?(): void;
}

/** Warnings about one front end. */
const LOG_LIMIT = 8;

export class BackendDevice {
  readonly paths: DevicePaths;
  readonly #options: BackendDeviceOptions;
  readonly #warnings = new LogLimiter(LOG_LIMIT);
  #watch: StoreWatch | undefined;
  #state: XenbusState = XenbusState.initialising;
  /** The front end's state as last acted on. */
  #seen: XenbusState = XenbusState.unknown;
  #online = true;
  #connected = false;
  /** Which connection the driver is letting go of, counted from 1; 0 when it is not. */
  #leaving = 0;
  #connections = 0;
  /** To be called when the driver has let go. */
  readonly #abandoned: (() => void)[] = [];

  /** Nothing happens before {@link start}. */
  constructor(options: BackendDeviceOptions) {
    this.#options = options;
    this.paths = devicePaths(options.address);
  }

  get state(): XenbusState {
    return this.#state;
  }

  /** The driver serves the front end, and has not been asked to let go. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Creates the nodes of both ends and offers the device, at once unless the driver still lets go of a front end. */
  start(): void {
    const { store, address, nodes } = this.#options;
    createDevice(store, address, nodes);
    this.#state = XenbusState.initialising;
    this.#online = true;
    this.#seen = XenbusState.unknown;
    this.#follow();
    if (!this.#leave()) this.#frontendChanged();
  }

  /** Takes up a device whose nodes came back with a restored store. The driver connects anew when it was connected. */
  resume(): void {
    const { store } = this.#options;
    this.#state = parseXenbusState(store.read(`${this.paths.backend}/state`));
    this.#online = store.read(`${this.paths.backend}/online`) === "1";
    this.#seen = parseXenbusState(store.read(`${this.paths.frontend}/state`));
    this.#follow();
    if (this.#state === XenbusState.connected && !this.#take()) this.#close("it cannot be connected again");
  }

  /** Changes what the back end tells, and rewrites the state so that the front end looks again (a resized disk). */
  announce(values: NodeValues): void {
    this.#publish(values, this.#state);
  }

  /** Asks the front end to let go; `removed` is called when both ends have. */
  unplug(): void {
    if (!this.#online || this.#watch === undefined) return;
    this.#online = false;
    this.#publish({ online: 0 }, this.#connected ? XenbusState.closing : this.#state);
    this.#frontendChanged();
  }

  /** The driver found the front end in breach of its protocol: the device stops until the front end closes it. */
  fail(reason: string): void {
    this.#options.store.write(this.paths.error, reason);
    this.#close(reason);
  }

  /** Lets go without asking the front end, and then removes all nodes. */
  stop(): void {
    if (this.#watch === undefined) return;
    this.#online = false;
    if (!this.#leave()) this.#frontendChanged();
  }

  /**
   * Lets go and leaves the nodes: the store itself is about to be reset. `done` is called when the driver has let go,
   * maybe at once. An unplug that was under way goes no further.
   */
  abandon(done: () => void): void {
    this.#unfollow();
    this.#leave();
    if (this.#leaving === 0) done();
    else this.#abandoned.push(done);
  }

  #follow(): void {
    this.#unfollow();
    // The watch is on the directory's `state`; it also fires when the whole directory goes away.
    this.#watch = this.#options.store.watch(`${this.paths.frontend}/state`, () => {
      this.#frontendChanged();
    });
  }

  #unfollow(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  #frontendChanged(): void {
    // Looked at when the driver has let go: see #left.
    if (this.#leaving !== 0) return;
    if (!this.#online && !this.#connected) {
      this.#remove();
      return;
    }
    const state = parseXenbusState(this.#options.store.read(`${this.paths.frontend}/state`));
    const before = this.#seen;
    this.#seen = state;
    switch (state) {
      case XenbusState.initialising:
        // Also without a Closed in between: a kernel started by kexec, or one that was faster than we looked.
        if (!this.#leave()) this.#offer();
        break;
      case XenbusState.initialised:
        if (before === XenbusState.connected && this.#leave()) return;
        if (this.#options.connectOnInitialised) this.#connect();
        break;
      case XenbusState.connected:
        this.#connect();
        break;
      case XenbusState.closing:
        if (this.#state !== XenbusState.closed) this.#enter(XenbusState.closing);
        break;
      case XenbusState.unknown:
      case XenbusState.closed:
        if (!this.#leave()) this.#enter(XenbusState.closed);
        break;
      case XenbusState.initWait:
      case XenbusState.reconfiguring:
      case XenbusState.reconfigured:
        // Front ends of the devices we have do not enter these; nothing of ours depends on them.
        break;
      default:
        unreachable(state);
    }
  }

  #offer(): void {
    if (this.#state !== XenbusState.initWait) this.#publish(this.#options.driver.features(), XenbusState.initWait);
  }

  #connect(): void {
    // After a breach, or an unplug, only a front end that starts over is served again.
    if (this.#connected || !this.#online || this.#state === XenbusState.closing) return;
    // One that was faster than we looked: it sees a change to Connected in any case.
    this.#offer();
    if (this.#take()) return;
    this.#warn("its nodes cannot be used");
    if (this.#options.refused === "close") this.#enter(XenbusState.closing);
  }

  /** False when the driver refused. */
  #take(): boolean {
    if (!this.#options.driver.connect(this.#frontend())) return false;
    this.#connected = true;
    this.#connections++;
    // The driver may have found a breach already: then there is something to let go of only now.
    if (this.#state === XenbusState.closing) this.#leave();
    else this.#enter(XenbusState.connected);
    return true;
  }

  /** Asks the driver to let go; false when nothing was connected. The front end is looked at again afterwards. */
  #leave(): boolean {
    if (!this.#connected) return false;
    const connection = this.#connections;
    this.#connected = false;
    this.#leaving = connection;
    this.#options.driver.disconnect(() => {
      this.#left(connection);
    });
    return true;
  }

  #left(connection: number): void {
    if (this.#leaving !== connection) return;
    this.#leaving = 0;
    if (this.#watch !== undefined) {
      this.#frontendChanged();
      // A front end that came back in none of the states that mean something: it is not connected any more.
      if (!this.#connected && this.#state === XenbusState.connected) this.#enter(XenbusState.closed);
    }
    for (const done of this.#abandoned.splice(0)) done();
  }

  #close(reason: string): void {
    this.#warn(reason);
    this.#enter(XenbusState.closing);
    this.#leave();
  }

  #enter(state: XenbusState): void {
    if (state !== this.#state) this.#publish({}, state);
  }

  /** The state comes last: whoever sees it finds the values in place. */
  #publish(values: NodeValues, state: XenbusState): void {
    this.#state = state;
    this.#options.store.transaction((nodes) => {
      for (const [name, value] of Object.entries(values)) nodes.write(`${this.paths.backend}/${name}`, value);
      nodes.write(`${this.paths.backend}/state`, state);
    });
  }

  /** Nobody holds the device, and nobody is to have it again. */
  #remove(): void {
    this.#unfollow();
    this.#enter(XenbusState.closed);
    removeDevice(this.#options.store, this.#options.address);
    this.#options.removed?.();
  }

  #frontend(): FrontendNodes {
    const { store } = this.#options;
    const path = this.paths.frontend;
    return {
      read: (name) => store.read(`${path}/${name}`),
      readNumber: (name, max) => {
        const value = parseUnsigned(store.read(`${path}/${name}`));
        return value === undefined || value > max ? undefined : value;
      },
    };
  }

  #warn(reason: string): void {
    if (this.#warnings.allow("front end")) {
      this.#options.log.warn("A front end was refused", { device: this.paths.backend, reason });
    }
  }
}
