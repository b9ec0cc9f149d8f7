/**
 * Which frames a network card takes: its own address, those that the driver listed, and the modes of its receiver. In
 * shared memory; changed and asked by the thread that serves the card.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.1.6.5.1 to 5.1.6.5.3
 */
import type { SharedArena } from "../../../shared/arena.js";
import { restoreChip, saveChip, words } from "../../chip-state.js";
import type { ChipState } from "../../chip-state.js";
import { ReceiveCommand } from "./net-abi.js";

export const MAC_BYTES = 6;
/** Addresses kept of each kind; more, and all of that kind are taken, as the standard allows. */
const MAX_ADDRESSES = 64;
const VLANS = 4096;
/** An Ethernet type and the VLAN tag behind it. IEEE 802.1Q */
const TYPE_OFFSET = 12;
const TYPE_VLAN = 0x8100;
const TAG_OFFSET = 14;
/** Of a frame, all that a decision needs. */
export const FILTERED_BYTES = 16;

const W = words([
  "promiscuous",
  "allMulticast",
  "allUnicast",
  "noMulticast",
  "noUnicast",
  "noBroadcast",
  "unicastCount",
  "multicastCount",
  "vlanFilter",
]);
const WORDS = 9;
/** A table that did not fit. */
const OVERFLOW = -1;
const VERSION = 1;

/** The mode that a command of the receive class switches. */
const MODES: ReadonlyMap<number, number> = new Map([
  [ReceiveCommand.promiscuous, W.promiscuous],
  [ReceiveCommand.allMulticast, W.allMulticast],
  [ReceiveCommand.allUnicast, W.allUnicast],
  [ReceiveCommand.noMulticast, W.noMulticast],
  [ReceiveCommand.noUnicast, W.noUnicast],
  [ReceiveCommand.noBroadcast, W.noBroadcast],
]);

export class ReceiveFilter {
  /** The card's address now; a driver may give it another until the next reset. */
  readonly mac: Uint8Array<SharedArrayBuffer>;
  readonly #configured: Uint8Array;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #unicast: Uint8Array<SharedArrayBuffer>;
  readonly #multicast: Uint8Array<SharedArrayBuffer>;
  /** A bit for each VLAN. */
  readonly #vlans: Uint32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, mac: Uint8Array) {
    this.#configured = mac;
    this.mac = arena.uint8(MAC_BYTES);
    this.#words = arena.int32(WORDS);
    this.#unicast = arena.uint8(MAX_ADDRESSES * MAC_BYTES);
    this.#multicast = arena.uint8(MAX_ADDRESSES * MAC_BYTES);
    this.#vlans = arena.uint32(VLANS / 32);
  }

  /** Takes all: a driver that wants less says so. */
  reset(): void {
    this.mac.set(this.#configured);
    this.#words.fill(0);
    this.#words[W.promiscuous] = 1;
    this.#vlans.fill(0);
  }

  save(): ChipState {
    return saveChip(VERSION, this.mac, this.#words, this.#unicast, this.#multicast, this.#vlans);
  }

  restore(state: ChipState): void {
    restoreChip(state, VERSION, this.mac, this.#words, this.#unicast, this.#multicast, this.#vlans);
  }

  /** Switches the mode of a receive command; false for a command that there is not. */
  setMode(command: number, on: boolean): boolean {
    const mode = MODES.get(command);
    if (mode === undefined) return false;
    this.#words[mode] = on ? 1 : 0;
    return true;
  }

  setMac(address: Uint8Array): void {
    this.mac.set(address.subarray(0, MAC_BYTES));
  }

  /** The driver's lists, of 6 bytes each; what is longer than can be kept counts as every address there is. */
  setTables(unicast: Uint8Array | undefined, multicast: Uint8Array | undefined): void {
    this.#words[W.unicastCount] = keep(this.#unicast, unicast);
    this.#words[W.multicastCount] = keep(this.#multicast, multicast);
  }

  /** Whether tagged frames are taken by their VLAN: when the driver wants to say which. */
  filterVlans(on: boolean): void {
    this.#words[W.vlanFilter] = on ? 1 : 0;
  }

  /** False for a number that no VLAN has. */
  setVlan(id: number, on: boolean): boolean {
    if (id >= VLANS) return false;
    const word = id >>> 5;
    const bit = 1 << (id & 31);
    this.#vlans[word] = on ? (this.#vlans[word] ?? 0) | bit : (this.#vlans[word] ?? 0) & ~bit;
    return true;
  }

  /** Whether the card takes the frame that starts with `head`, {@link FILTERED_BYTES}. */
  takes(head: Uint8Array): boolean {
    if (this.#on(W.promiscuous)) return true;
    if (this.#on(W.vlanFilter) && wordAt(head, TYPE_OFFSET) === TYPE_VLAN) {
      const id = wordAt(head, TAG_OFFSET) & (VLANS - 1);
      if (((this.#vlans[id >>> 5] ?? 0) & (1 << (id & 31))) === 0) return false;
    }
    return ((head[0] ?? 0) & 1) === 0 ? this.#takesUnicast(head) : this.#takesMulticast(head);
  }

  #takesUnicast(head: Uint8Array): boolean {
    if (this.#on(W.noUnicast)) return false;
    return this.#on(W.allUnicast) || isAt(this.mac, 0, head) || this.#lists(this.#unicast, W.unicastCount, head);
  }

  #takesMulticast(head: Uint8Array): boolean {
    if (isBroadcast(head)) return !this.#on(W.noBroadcast);
    if (this.#on(W.noMulticast)) return false;
    return this.#on(W.allMulticast) || this.#lists(this.#multicast, W.multicastCount, head);
  }

  #lists(table: Uint8Array, counter: number, head: Uint8Array): boolean {
    const count = this.#words[counter] ?? 0;
    if (count === OVERFLOW) return true;
    for (let i = 0; i < count; i++) if (isAt(table, i * MAC_BYTES, head)) return true;
    return false;
  }

  #on(mode: number): boolean {
    return this.#words[mode] !== 0;
  }
}

function keep(table: Uint8Array, addresses: Uint8Array | undefined): number {
  if (addresses === undefined || addresses.length > table.length) return OVERFLOW;
  table.set(addresses);
  return Math.floor(addresses.length / MAC_BYTES);
}

function isAt(table: Uint8Array, offset: number, head: Uint8Array): boolean {
  for (let i = 0; i < MAC_BYTES; i++) if (table[offset + i] !== head[i]) return false;
  return true;
}

function isBroadcast(head: Uint8Array): boolean {
  for (let i = 0; i < MAC_BYTES; i++) if (head[i] !== 0xff) return false;
  return true;
}

function wordAt(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}
