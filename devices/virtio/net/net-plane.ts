/**
 * The data plane of a virtio network card: frames between the queues' buffers and a wire, in the thread that serves the
 * card. Data is never copied here; headers are written, lengths checked, the rest is the wire's.
 *
 * [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.1.6 "Device operation"
 */
import type { GuestMemory } from "../../../shared/memory.js";
import type { NetWire } from "../../net/wire.js";
import type { QueueState } from "../queue-state.js";
import { DescriptorChain, SplitQueue } from "../split-queue.js";
import { Feature } from "../virtio-abi.js";
import type { VirtioState } from "../virtio-state.js";
import { ControlCommands, guestOffloads } from "./control-commands.js";
import { NET_HEADER_BYTES, NetFeature, NetQueue } from "./net-abi.js";
import { ReceiveBuffers } from "./receive-buffers.js";
import { FILTERED_BYTES } from "./receive-filter.js";
import type { VirtioNet } from "./virtio-net.js";

export interface NetPlaneHost {
  readonly memory: GuestMemory;
  readonly state: VirtioState;
  /** The driver broke a protocol: what it did, for the log. */
  broken(reason: string): void;
}

/** What {@link NetPlane.transfer} waits for. */
export const Wants = {
  /** Frames that come in. */
  arrival: 1,
  /** The wire to take frames again. */
  room: 2,
  /** Nothing: there is more to do. */
  again: 4,
  /** The guest's notification, which comes without asking. */
  notification: 8,
} as const;

/** Frames moved either way before others get their turn. */
const BATCH = 64;
const COMMANDS = 16;

export class NetPlane {
  readonly #net: VirtioNet;
  readonly #host: NetPlaneHost;
  readonly #wire: NetWire;
  readonly #queues: { readonly receive: SplitQueue; readonly transmit: SplitQueue; readonly control: SplitQueue };
  readonly #buffers: ReceiveBuffers;
  readonly #chain: DescriptorChain;
  readonly #controlChain: DescriptorChain;
  readonly #commands: ControlCommands;
  readonly #head = new Uint8Array(FILTERED_BYTES);
  readonly #ack = new Uint8Array(1);
  #epoch = -1;
  /** Part of a frame is in the buffers, the rest has yet to come. */
  #receiving = false;

  constructor(net: VirtioNet, wire: NetWire, host: NetPlaneHost) {
    const { memory, state } = host;
    this.#net = net;
    this.#wire = wire;
    this.#host = host;
    const queue = (index: number): SplitQueue =>
      new SplitQueue(
        {
          memory,
          epoch: () => state.epoch(),
          eventIndex: () => state.accepted(Feature.eventIdx),
          indirect: () => state.accepted(Feature.indirectDesc),
          broken: (reason) => {
            this.#break(`queue ${index}: ${reason}`);
          },
        },
        queueState(state, index),
      );
    this.#queues = {
      receive: queue(NetQueue.receive),
      transmit: queue(NetQueue.transmit),
      control: queue(NetQueue.control),
    };
    this.#buffers = new ReceiveBuffers(this.#queues.receive, queueState(state, NetQueue.receive));
    this.#chain = new DescriptorChain(queueState(state, NetQueue.transmit).maxSize);
    this.#controlChain = new DescriptorChain(queueState(state, NetQueue.control).maxSize);
    this.#commands = new ControlCommands(net, {
      accepted: (bit) => state.accepted(bit),
      setOffloads: (offloads) => {
        wire.setOffloads(offloads);
      },
    });
  }

  /** Moves what can be moved; {@link Wants} bits say when to call again, beside the guest's notifications. */
  transfer(): number {
    const { state } = this.#host;
    if (!state.begin()) return 0;
    try {
      if (state.epoch() !== this.#epoch) this.#begin();
      return this.#control() | this.#transmit() | this.#receive();
    } finally {
      state.end();
    }
  }

  /** The other end of the cable has come or gone. The rest of a frame that had come in part comes no more. */
  setLink(up: boolean): void {
    this.#receiving = false;
    if (!this.#net.setLink(up)) return;
    const { state } = this.#host;
    // Who is at the other end now may not know where the guest is.
    if (up && state.accepted(NetFeature.guestAnnounce)) this.#net.requestAnnounce();
    state.configChanged();
  }

  /** Puts the queues into a state that can be saved, while the machine is at rest. */
  quiesce(): void {
    if (this.#host.state.epoch() !== this.#epoch) return;
    if (this.#receiving) this.#wire.discard();
    this.#receiving = false;
    this.#buffers.giveBack();
  }

  /** The driver has started the card, for the first time or anew: nothing is left of what it was before. */
  #begin(): void {
    const { state } = this.#host;
    this.#epoch = state.epoch();
    if (this.#receiving) this.#wire.discard();
    this.#receiving = false;
    this.#buffers.forget();
    this.#net.filter.filterVlans(state.accepted(NetFeature.ctrlVlan));
    if (this.#wire.header) this.#wire.setOffloads(guestOffloads((bit) => state.accepted(bit)));
  }

  #control(): number {
    const { control } = this.#queues;
    if (!this.#host.state.accepted(NetFeature.ctrlVq) || !control.open()) return 0;
    let count = 0;
    while (count < COMMANDS && control.pop(this.#controlChain)) {
      const { head, readable, writable } = this.#controlChain;
      this.#ack[0] = this.#commands.run(readable);
      control.push(head, writable.store(0, this.#ack));
      count++;
    }
    if (control.publish()) this.#host.state.interrupt(NetQueue.control);
    return count === COMMANDS || control.enableNotifications() ? Wants.again : 0;
  }

  #transmit(): number {
    const { transmit } = this.#queues;
    if (!transmit.open()) return 0;
    transmit.disableNotifications();
    let count = 0;
    while (count < BATCH && !this.#wire.full && transmit.pop(this.#chain)) {
      const { head, readable } = this.#chain;
      // The header says nothing to a wire without: no offload was offered.
      if (readable.totalBytes >= NET_HEADER_BYTES) this.#wire.send(readable, this.#wire.header ? 0 : NET_HEADER_BYTES);
      transmit.push(head, 0);
      count++;
    }
    if (transmit.publish()) this.#host.state.interrupt(NetQueue.transmit);
    if (count === BATCH) return Wants.again;
    if (this.#wire.full) return Wants.room;
    return transmit.enableNotifications() ? Wants.again : 0;
  }

  #receive(): number {
    const { receive } = this.#queues;
    if (!receive.open()) return 0;
    receive.disableNotifications();
    let count = 0;
    let wants = 0;
    for (; wants === 0 && count < BATCH; count++) wants = this.#receiveFrame();
    if (!this.#receiving) this.#buffers.giveBack();
    if (receive.publish()) this.#host.state.interrupt(NetQueue.receive);
    if (count === BATCH) return Wants.again;
    return wants;
  }

  /** One frame into the guest's buffers. 0 when it is done with, else what to wait for. */
  #receiveFrame(): number {
    const wire = this.#wire;
    const arriving = wire.arriving();
    if (arriving === 0) return Wants.arrival;
    const skip = wire.header ? 0 : NET_HEADER_BYTES;
    const merges = this.#host.state.accepted(NetFeature.mrgRxbuf);
    const room = this.#buffers.makeRoom(skip + arriving, merges);
    if (room === "none yet") return this.#queues.receive.enableNotifications() ? Wants.again : Wants.notification;
    if (room === "never") {
      wire.discard();
      return 0;
    }
    if (!wire.receive(this.#buffers.segments, skip)) {
      this.#receiving = true;
      return Wants.arrival;
    }
    this.#receiving = false;
    this.#buffers.segments.fetch(NET_HEADER_BYTES, this.#head);
    // For others: the next frame takes its place.
    if (this.#net.filter.takes(this.#head)) this.#buffers.finish(skip + arriving, wire.header);
    return 0;
  }

  #break(reason: string): void {
    this.#host.broken(reason);
    this.#host.state.needReset();
  }
}

function queueState(state: VirtioState, index: number): QueueState {
  const queue = state.queues[index];
  if (queue === undefined) throw new RangeError(`A network card has no queue ${index}`);
  return queue;
}
