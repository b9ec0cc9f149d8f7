/**
 * The control queue's commands: the receiver's filter, the address, offloads.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.1.6.5 "Control virtqueue"
 */
import { Offload } from "../../net/wire.js";
import type { SegmentList } from "../segment-list.js";
import {
  AnnounceCommand,
  ControlAck,
  ControlClass,
  MacCommand,
  NetFeature,
  OffloadsCommand,
  VlanCommand,
} from "./net-abi.js";
import { MAC_BYTES } from "./receive-filter.js";
import type { VirtioNet } from "./virtio-net.js";

export interface ControlHost {
  /** Whether the driver took feature `bit`. */
  accepted(bit: number): boolean;
  /** Which offloads the guest can have in what it receives, {@link Offload} bits. */
  setOffloads(offloads: number): void;
}

/** Two tables of addresses, and what they cost. Longer commands are cut; what is beyond counts as not given. */
const MAX_COMMAND_BYTES = 4096;
/** Class and command. */
const HEAD_BYTES = 2;
const COUNT_BYTES = 4;

/** The features by which a driver says that it takes offloads, and what they are on a wire. */
const GUEST_OFFLOADS = [
  [NetFeature.guestCsum, Offload.checksum],
  [NetFeature.guestTso4, Offload.tso4],
  [NetFeature.guestTso6, Offload.tso6],
  [NetFeature.guestEcn, Offload.ecn],
] as const;

/** What the driver takes, by `has(feature bit)`. Segments are for those only who do without checksums. [VIRTIO] 5.1.3.1 */
export function guestOffloads(has: (bit: number) => boolean): number {
  if (!has(NetFeature.guestCsum)) return 0;
  return GUEST_OFFLOADS.reduce((bits, [feature, offload]) => (has(feature) ? bits | offload : bits), 0);
}

export class ControlCommands {
  readonly #net: VirtioNet;
  readonly #host: ControlHost;
  readonly #command = new Uint8Array(MAX_COMMAND_BYTES);
  readonly #view = new DataView(this.#command.buffer);
  #length = 0;

  constructor(net: VirtioNet, host: ControlHost) {
    this.#net = net;
    this.#host = host;
  }

  /** Carries a command out; the answer for the driver, [VIRTIO] VIRTIO_NET_OK or VIRTIO_NET_ERR. */
  run(readable: SegmentList): number {
    this.#length = readable.fetch(0, this.#command);
    return this.#length >= HEAD_BYTES && this.#carryOut() ? ControlAck.ok : ControlAck.error;
  }

  #carryOut(): boolean {
    const command = this.#command[1] ?? 0;
    const data = this.#length - HEAD_BYTES;
    switch (this.#command[0]) {
      case ControlClass.receive:
        return data >= 1 && this.#net.filter.setMode(command, this.#command[HEAD_BYTES] !== 0);
      case ControlClass.mac:
        return command === MacCommand.tableSet
          ? this.#setTables()
          : command === MacCommand.addressSet && this.#setMac();
      case ControlClass.vlan:
        if (data < 2 || (command !== VlanCommand.add && command !== VlanCommand.remove)) return false;
        return this.#net.filter.setVlan(this.#view.getUint16(HEAD_BYTES, true), command === VlanCommand.add);
      case ControlClass.announce:
        if (command !== AnnounceCommand.acknowledge) return false;
        this.#net.announced();
        return true;
      case ControlClass.guestOffloads:
        return command === OffloadsCommand.set && data >= 8 && this.#setOffloads();
      default:
        return false;
    }
  }

  #setMac(): boolean {
    if (this.#length < HEAD_BYTES + MAC_BYTES) return false;
    this.#net.filter.setMac(this.#command.subarray(HEAD_BYTES, HEAD_BYTES + MAC_BYTES));
    return true;
  }

  /** Two tables, each behind the number of its addresses. */
  #setTables(): boolean {
    const unicast = this.#table(HEAD_BYTES);
    if (unicast === undefined) return false;
    const multicast = this.#table(unicast.end);
    if (multicast === undefined) return false;
    this.#net.filter.setTables(unicast.addresses, multicast.addresses);
    return true;
  }

  /** The table at `start`, and where it ends. One that we do not hold in full has no addresses, and nothing behind it. */
  #table(start: number): { readonly addresses: Uint8Array | undefined; readonly end: number } | undefined {
    // Behind a table that did not fit: that one did not either.
    if (start > MAX_COMMAND_BYTES) return { addresses: undefined, end: start };
    if (start + COUNT_BYTES > this.#length) {
      return this.#length === MAX_COMMAND_BYTES ? { addresses: undefined, end: MAX_COMMAND_BYTES + 1 } : undefined;
    }
    const end = start + COUNT_BYTES + this.#view.getUint32(start, true) * MAC_BYTES;
    if (end <= this.#length) return { addresses: this.#command.subarray(start + COUNT_BYTES, end), end };
    return this.#length === MAX_COMMAND_BYTES ? { addresses: undefined, end } : undefined;
  }

  #setOffloads(): boolean {
    const low = this.#view.getUint32(HEAD_BYTES, true);
    const wanted = (bit: number): boolean => (low & (1 << bit)) !== 0;
    // Bits of features that were not taken, or of other features, make no sense. [VIRTIO] 5.1.6.5.6.2
    const known = GUEST_OFFLOADS.reduce((bits, [bit]) => (this.#host.accepted(bit) ? bits | (1 << bit) : bits), 0);
    if ((low & ~known) !== 0 || this.#view.getUint32(HEAD_BYTES + 4, true) !== 0) return false;
    this.#host.setOffloads(guestOffloads(wanted));
    return true;
  }
}
