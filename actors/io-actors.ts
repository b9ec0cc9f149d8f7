/**
 * The threads that do a machine's I/O: the device actor, and one for each disk and network card. They start when they are wanted, as the
 * guest's first instructions want none of them: those behind a PC's own devices once the device actor is up, those of PV
 * disks when the guest connects to them.
 */
import { MessageChannel } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { releaseProxy, wrap } from "comlink";
import type { Remote } from "comlink";
import type { Doorbell } from "./host/eventfd.js";
import type { HostResources } from "./host-resources.js";
import type { ActorStart, DeviceApi } from "./protocol.js";
import { ringingEndpoint } from "./ringing-endpoint.js";
import { unlessDead, within } from "./waiting.js";
import { startWorker } from "./workers.js";
import type { ActorHandle } from "./workers.js";

export interface IoActorsHost {
  readonly resources: HostResources;
  /** The device actor's. */
  readonly bell: Doorbell | undefined;
  /** A new actor's end of the channel for its events. */
  openEvents(): MessagePort;
  /** An actor has been started. */
  started(actor: ActorHandle): void;
}

interface DeviceHandle extends ActorHandle {
  readonly api: Remote<DeviceApi>;
}

export class IoActors {
  readonly #host: IoActorsHost;
  /** Between the device actor and each of the others. */
  readonly #diskChannels: readonly MessageChannel[];
  readonly #netChannels: readonly MessageChannel[];
  #device: DeviceHandle | undefined;
  readonly #others: ActorHandle[] = [];
  #othersStarted = false;
  #ending = false;

  constructor(host: IoActorsHost) {
    this.#host = host;
    this.#diskChannels = host.resources.disks.map(() => new MessageChannel());
    this.#netChannels = host.resources.nets.map(() => new MessageChannel());
  }

  /** The device actor, started when first asked for. */
  get devices(): DeviceHandle {
    this.#device ??= this.#startDevices();
    return this.#device;
  }

  /** Those that run. */
  get all(): readonly ActorHandle[] {
    return [...(this.#device === undefined ? [] : [this.#device]), ...this.#others];
  }

  /**
   * Has the device actor switch its devices on, and starts those of emulated disks and of network cards, if they have not been:
   * they are wanted once the guest's drivers are up, and the device actor long before. So it has a host of few processors to
   * itself while it comes up.
   */
  async powerOn(): Promise<void> {
    const { devices } = this;
    await unlessDead(devices, devices.api.powerOn());
    if (!this.#ending && !this.#othersStarted) this.#startOthers();
  }

  /** The actor of a PV disk, which a guest has connected to for the first time. Rejects as `startWorker` throws. */
  async startXenDisk(index: number): Promise<void> {
    return new Promise((resolve) => {
      this.#startDisk(index);
      resolve();
    });
  }

  #startDisk(index: number): void {
    // Nobody would tell it to end.
    if (this.#ending) return;
    const { parts, disks } = this.#host.resources;
    const { port2: control } = at(this.#diskChannels, index);
    const events = this.#host.openEvents();
    const init = { parts, index, events, control, disk: at(disks, index) };
    this.#others.push(this.#start(`disk${index}`, { kind: "disk", init }, [events, control]));
  }

  #startOthers(): void {
    this.#othersStarted = true;
    const { parts, nets } = this.#host.resources;
    for (const [index, { attach }] of parts.config.disks.entries()) if (attach.kind !== "xen") this.#startDisk(index);
    for (const [index, { port2: control }] of this.#netChannels.entries()) {
      const events = this.#host.openEvents();
      const init = { parts, index, events, control, net: at(nets, index) };
      this.#others.push(this.#start(`net${index}`, { kind: "net", init }, [events, control]));
    }
  }

  /**
   * Ends those that have not come up, rather than wait until they can be told to end. The device actor tells the others: it
   * stays while one of them does.
   */
  callOff(): void {
    this.#ending = true;
    const staying = this.#others.filter((actor) => !actor.callOff());
    if (staying.length === 0) this.#device?.callOff();
  }

  /** Tells all to end, and waits for the device actor's word for at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#ending = true;
    const device = this.#device;
    if (device !== undefined) await within(graceMs, Promise.race([device.api.stop(), device.gone]));
  }

  /** Lets go of what the threads talked by. They are gone. */
  close(): void {
    this.#device?.api[releaseProxy]();
    for (const { port1, port2 } of [...this.#diskChannels, ...this.#netChannels]) {
      port1.close();
      port2.close();
    }
  }

  #startDevices(): DeviceHandle {
    const { resources, bell } = this.#host;
    if (bell === undefined) throw new RangeError("The device actor has no doorbell");
    const events = this.#host.openEvents();
    const disks = this.#diskChannels.map(({ port1 }, index) => ({
      control: port1,
      disk: at(resources.disks, index),
    }));
    const nets = this.#netChannels.map(({ port1 }) => port1);
    const { port1, port2: calls } = new MessageChannel();
    const init = { parts: resources.parts, index: 0, events, calls, disks, nets };
    const ports = [events, calls, ...disks.map(({ control }) => control), ...nets];
    const handle = this.#start("devices", { kind: "device", init }, ports);
    return { ...handle, api: wrap<DeviceApi>(ringingEndpoint(port1, bell)) };
  }

  #start(name: string, start: ActorStart, transferList: readonly object[]): ActorHandle {
    const handle = startWorker(name, start, transferList);
    this.#host.started(handle);
    return handle;
  }
}

function at<T>(opened: readonly T[], index: number): T {
  const one = opened[index];
  if (one === undefined) throw new RangeError(`There is no disk or network card ${index}`);
  return one;
}
