/**
 * Notifications of virtio queues that KVM takes in our place: a write to a queue's address signals the eventfd of the actor
 * that serves it, and the vCPU does not come out. Where the host does not do that, it comes out, and the function rings.
 */
import type { SharedArena } from "../shared/arena.js";
import type { PciHostBridge } from "../devices/pci/host-bridge.js";
import type { VirtioPci } from "../devices/virtio/virtio-pci.js";
import type { Vm } from "./host/kvm.js";

/** A function, and the eventfd that tells its actor of the guest's notifications. */
export interface WatchedFunction {
  readonly pci: VirtioPci;
  readonly fd: number;
}

/** Queues of all functions together. */
const MAX_QUEUES = 256;
const NOT_WATCHED = 0;

export class NotifyWatch {
  readonly #vm: Pick<Vm, "watchWrites">;
  /** Address that KVM watches for each queue, function after function. */
  readonly #watched: Float64Array<SharedArrayBuffer>;
  #bridge: Pick<PciHostBridge, "isPresent"> | undefined;
  #functions: readonly WatchedFunction[] = [];

  constructor(arena: SharedArena, vm: Pick<Vm, "watchWrites">) {
    this.#vm = vm;
    this.#watched = arena.float64(MAX_QUEUES);
  }

  connect(bridge: Pick<PciHostBridge, "isPresent">, functions: readonly WatchedFunction[]): void {
    this.#bridge = bridge;
    this.#functions = functions;
  }

  /** Follows the functions' BARs. Under the host bridge's lock, which keeps the addresses, too. */
  update(): void {
    // What is given up comes first: another queue may have moved there.
    this.#each((at, wanted, fd) => {
      const before = this.#watched[at] ?? NOT_WATCHED;
      if (before === NOT_WATCHED || before === wanted) return;
      this.#vm.watchWrites(before, fd, false);
      this.#watched[at] = NOT_WATCHED;
    });
    this.#each((at, wanted, fd) => {
      if (wanted === NOT_WATCHED || this.#watched[at] === wanted) return;
      if (this.#vm.watchWrites(wanted, fd, true) === 0) this.#watched[at] = wanted;
    });
  }

  #each(queue: (at: number, address: number, fd: number) => void): void {
    let at = 0;
    for (const { pci, fd } of this.#functions) {
      const addresses = this.#bridge?.isPresent(pci) === true ? pci.notifyAddresses() : [];
      for (let index = 0; index < pci.state.queues.length && at < MAX_QUEUES; index++) {
        queue(at++, addresses[index]?.address ?? NOT_WATCHED, fd);
      }
    }
  }
}
