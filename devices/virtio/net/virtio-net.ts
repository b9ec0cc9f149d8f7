/**
 * The virtio network card as drivers see it: features, address, link. What it does with frames is in net-plane.ts.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.1 "Network device"
 */
import type { SharedArena } from "../../../shared/arena.js";
import type { AccessSize } from "../../../shared/io.js";
import { restoreChip, saveChip, words } from "../../chip-state.js";
import type { ChipState } from "../../chip-state.js";
import type { VirtioDevice } from "../virtio-device.js";
import { LinkStatus, NetConfigLayout, NetFeature } from "./net-abi.js";
import { MAC_BYTES, ReceiveFilter } from "./receive-filter.js";

export interface VirtioNetHost {
  /** There may be something in one of the queues: wakes the thread that serves the card. */
  kick(): void;
}

export interface VirtioNetOptions {
  readonly name: string;
  /** Six pairs of hexadecimal digits, colons between. */
  readonly mac: string;
  /** Whether the wire takes checksums and segmentation off the guest, and gives frames without. */
  readonly offloads: boolean;
}

const TYPE_NETWORK = 1;
/** Network controller, Ethernet. [PCI] appendix D */
const CLASS_ETHERNET = 0x02_0000;
/** As QEMU's, whose sizes drivers are used to. */
const DATA_QUEUE_SIZE = 256;
const CONTROL_QUEUE_SIZE = 64;

// Not offered: several queue pairs, an MTU, UFO, RSS, notification coalescing.
const FEATURES = [
  NetFeature.mac,
  NetFeature.mrgRxbuf,
  NetFeature.status,
  NetFeature.ctrlVq,
  NetFeature.ctrlRx,
  NetFeature.ctrlVlan,
  NetFeature.ctrlRxExtra,
  NetFeature.guestAnnounce,
  NetFeature.ctrlMacAddr,
] as const;
const OFFLOAD_FEATURES = [
  NetFeature.csum,
  NetFeature.guestCsum,
  NetFeature.ctrlGuestOffloads,
  NetFeature.guestTso4,
  NetFeature.guestTso6,
  NetFeature.guestEcn,
  NetFeature.hostTso4,
  NetFeature.hostTso6,
  NetFeature.hostEcn,
] as const;

const W = words(["linkDown", "announce"]);
const WORDS = 2;
const VERSION = 1;

export class VirtioNet implements VirtioDevice {
  readonly name: string;
  readonly type = TYPE_NETWORK;
  readonly classCode = CLASS_ETHERNET;
  readonly features: readonly number[];
  readonly queueSizes = [DATA_QUEUE_SIZE, DATA_QUEUE_SIZE, CONTROL_QUEUE_SIZE];
  readonly configLength = NetConfigLayout.bytes;
  readonly filter: ReceiveFilter;
  readonly #host: VirtioNetHost;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, options: VirtioNetOptions, host: VirtioNetHost) {
    this.name = options.name;
    this.features = options.offloads ? [...FEATURES, ...OFFLOAD_FEATURES] : FEATURES;
    this.#host = host;
    this.filter = new ReceiveFilter(arena, macBytes(options.mac));
    this.#words = arena.int32(WORDS);
  }

  /** Whether a cable is plugged in, with somebody at its other end. It outlives resets. */
  get linkUp(): boolean {
    return Atomics.load(this.#words, W.linkDown) === 0;
  }

  /** True when it was otherwise before: the caller tells the driver. */
  setLink(up: boolean): boolean {
    return Atomics.exchange(this.#words, W.linkDown, up ? 0 : 1) === (up ? 1 : 0);
  }

  /** Asks a driver that can to make itself known on the network. */
  requestAnnounce(): void {
    Atomics.store(this.#words, W.announce, 1);
  }

  /** The driver has made itself known. */
  announced(): void {
    Atomics.store(this.#words, W.announce, 0);
  }

  readConfig(offset: number, size: AccessSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.#configByte(offset + byte) << (byte * 8);
    return value >>> 0;
  }

  /** A driver of version 1 changes the address by the control queue. [VIRTIO] 5.1.4.2 */
  writeConfig(): void {
    // Nothing of it can be written.
  }

  reset(): void {
    this.filter.reset();
    Atomics.store(this.#words, W.announce, 0);
  }

  save(): ChipState {
    const filter = this.filter.save();
    return { version: filter.version, words: [...saveChip(VERSION, this.#words).words, ...filter.words] };
  }

  restore(state: ChipState): void {
    restoreChip({ version: state.version, words: state.words.slice(0, WORDS) }, VERSION, this.#words);
    this.filter.restore({ version: state.version, words: state.words.slice(WORDS) });
  }

  notify(): void {
    this.#host.kick();
  }

  #configByte(offset: number): number {
    if (offset < NetConfigLayout.mac + MAC_BYTES) return this.filter.mac[offset] ?? 0;
    if (offset !== NetConfigLayout.status) return 0;
    const announce = Atomics.load(this.#words, W.announce) === 1 ? LinkStatus.announce : 0;
    return (this.linkUp ? LinkStatus.up : 0) | announce;
  }
}

function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(":"), (part) => parseInt(part, 16));
}
