/**
 * The loop of an actor that waits in one blocking call: its doorbell, its guests' events, file descriptors and a deadline.
 *
 * While it blocks, its Node event loop stands still; who posts it a message rings the doorbell afterwards
 * (`ringingEndpoint`), and the loop then turns the event loop once, so that Comlink sees the call.
 */
import { Poll, Poller } from "./host/poller.js";
import type { Doorbell } from "./host/eventfd.js";
import type { MachineThread } from "./thread.js";

export interface ActorWork {
  /** The doorbell rang: rings, flags and calls may wait. */
  rung(): void;
  /** A guest's event for a back end of ours. */
  guestKicked(): void;
  /** Does what is due and says, in machine time, until when the loop may sleep. */
  beforeSleep(): number;
}

export class ActorLoop {
  readonly poller: Poller;
  readonly #thread: MachineThread;
  readonly #bell: Doorbell;
  readonly #kick: Doorbell;
  #stopping = false;
  #rung = true;

  /** `owner` is the actor's place among `parts.doorbells`. */
  constructor(thread: MachineThread, owner: number) {
    const bell = thread.doorbells[owner];
    const kick = thread.guestKicks[owner];
    if (bell === undefined || kick === undefined) throw new RangeError(`There is no doorbell ${owner}`);
    this.#thread = thread;
    this.#bell = bell;
    this.#kick = kick;
    this.poller = new Poller(thread.libc, thread.scratch);
  }

  /** Runs until {@link stop}, or the process ends. */
  async run(work: ActorWork): Promise<void> {
    this.poller.watch(this.#bell.fd, Poll.in, () => {
      this.#bell.answer();
      this.#rung = true;
    });
    this.poller.watch(this.#kick.fd, Poll.in, () => {
      this.#kick.answer();
      work.guestKicked();
    });
    while (!this.#isToStop()) {
      if (this.#rung) {
        this.#rung = false;
        // One turn of the event loop: a call whose message came before the ring is handled in it.
        await turn();
        work.rung();
        // And one for what that has resolved: the answer of a call that waited for it must not wait for the next ring.
        await turn();
      }
      const until = work.beforeSleep();
      // Either may have been set by what was done just now.
      if (this.#hurried()) continue;
      this.poller.wait(until - this.#thread.clock.nowNs());
    }
  }

  /** Goes round once more without sleeping. */
  again(): void {
    this.#rung = true;
  }

  stop(): void {
    this.#stopping = true;
  }

  #hurried(): boolean {
    return this.#rung || this.#isToStop();
  }

  #isToStop(): boolean {
    return this.#stopping || this.#thread.lifecycle.abandoned;
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
