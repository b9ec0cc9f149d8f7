/** A virtio block device with storage in memory, and its driver's side. */
import { VirtioBlock } from "../../../devices/virtio/virtio-block.js";
import type { VirtioBlockOptions } from "../../../devices/virtio/virtio-block.js";
import { VirtioBlockPlane } from "../../../devices/virtio/block-plane.js";
import { VirtioState } from "../../../devices/virtio/virtio-state.js";
import { smallArena } from "../port-driver.js";
import { TestStorage } from "../xen-disk/front-end.js";
import { QueueDriver, WRITE } from "./queue-driver.js";
import type { TestDescriptor } from "./queue-driver.js";

export interface BlockOptions extends Partial<VirtioBlockOptions> {
  readonly size?: number;
  /** Numbers of the feature bits that the driver takes, VERSION_1 aside. */
  readonly features?: readonly number[];
}

/** Where a request's header, data and status are. */
const HEADER = 0x8000;
export const DATA = 0x9000;
const STATUS = 0x8800;

export class BlockDriver {
  readonly driver: QueueDriver;
  readonly storage = new TestStorage(128);
  readonly device: VirtioBlock;
  readonly state: VirtioState;
  readonly plane: VirtioBlockPlane;
  readonly events: string[] = [];

  constructor({ size = 8, features = [9, 11], ...options }: BlockOptions = {}) {
    const arena = smallArena();
    this.driver = new QueueDriver(size);
    this.storage.readOnly = options.readOnly ?? false;
    this.storage.discards = options.discards ?? true;
    const { readOnly, discards, sectors } = this.storage;
    this.device = new VirtioBlock(arena, {
      slot: 3,
      sectors,
      readOnly,
      discards,
      writeback: true,
      notify: () => this.events.push("notify"),
      ...options,
    });
    this.state = new VirtioState(arena, this.device, {
      vectors: 2,
      interruptQueue: () => this.events.push("interrupt"),
      interruptConfig: () => this.events.push("config"),
      clearInterrupts: () => undefined,
    });
    this.plane = new VirtioBlockPlane({
      device: this.device,
      state: this.state,
      memory: this.driver.memory,
      storage: this.storage,
      serial: "SN-123",
      again: () => this.events.push("again"),
      broken: (reason) => this.events.push(`broken: ${reason}`),
    });
    this.state.reset();
    this.state.setStopped(false);
    this.start(features);
  }

  /** As a driver does it. */
  start(features: readonly number[]): void {
    const { state } = this;
    state.locked(() => {
      state.write("deviceStatus", 3);
      state.write("driverFeature", features.reduce((bits, bit) => bits + 2 ** bit, 0)); // prettier-ignore
      state.write("driverFeatureSelect", 1);
      state.write("driverFeature", 1);
      state.write("deviceStatus", 0x0b);
      state.write("queueSize", this.driver.size);
      state.write("descLow", 0x1000);
      state.write("driverLow", 0x3000);
      state.write("deviceLow", 0x4000);
      state.write("queueEnable", 1);
      state.write("deviceStatus", 0x0f);
    });
  }

  header(type: number, sector: number | bigint, at = HEADER): TestDescriptor {
    this.driver.view.setUint32(at, type, true);
    this.driver.view.setUint32(at + 4, 0, true);
    this.driver.view.setBigUint64(at + 8, BigInt(sector), true);
    return { address: at, length: 16 };
  }

  /** A request with these pieces of data between header and status. */
  offer(type: number, sector: number | bigint, data: readonly TestDescriptor[], first = 0): void {
    this.driver.bytes[STATUS + first] = 0xff;
    const status = { address: STATUS + first, length: 1, flags: WRITE };
    this.driver.chain([this.header(type, sector, HEADER + first * 16), ...data, status], first);
  }

  /** The status that an {@link offer} ends with, and what the used ring told last. */
  run(type: number, sector: number | bigint, data: readonly TestDescriptor[]): number {
    this.offer(type, sector, data);
    this.plane.kick();
    return this.status();
  }

  status(first = 0): number {
    return this.driver.bytes[STATUS + first] ?? NaN;
  }

  /** A range, as discard and write zeroes take it. */
  range(sector: number | bigint, sectors: number, flags = 0): readonly TestDescriptor[] {
    this.driver.view.setBigUint64(DATA, BigInt(sector), true);
    this.driver.view.setUint32(DATA + 8, sectors, true);
    this.driver.view.setUint32(DATA + 12, flags, true);
    return [{ address: DATA, length: 16 }];
  }
}
