/** The device actor's end of its conversation with an I/O actor: what every one is asked, whatever it serves. */
import { receiveMessageOnPort } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import type { Doorbell } from "./host/eventfd.js";
import type { IoRequest, Quiesced } from "./io-protocol.js";

const QUIESCED: Quiesced["kind"] = "quiesced";

/** `Request` and `Event` are what is said beyond that. */
export class IoLink<Request = never, Event = never> {
  readonly #control: MessagePort;
  readonly #bell: Doorbell | undefined;
  #quiesced: (() => void)[] = [];

  /** `bell` is the actor's. */
  constructor(control: MessagePort, bell: Doorbell | undefined) {
    this.#control = control;
    this.#bell = bell;
  }

  tell(request: Request | IoRequest): void {
    this.#control.postMessage(request);
    this.#bell?.ring();
  }

  /** Finishes what is under way and takes nothing new. */
  async quiesce(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#quiesced.push(resolve);
      this.tell({ kind: "quiesce" });
    });
  }

  resume(): void {
    this.tell({ kind: "resume" });
  }

  stop(): void {
    this.tell({ kind: "stop" });
  }

  /** Takes the messages that have come; those that are not about the actor's life go to `listener`. */
  poll(listener: (event: Event) => void): void {
    for (let next = receiveMessageOnPort(this.#control); next !== undefined;) {
      const event = next.message as { readonly kind: string };
      if (event.kind === QUIESCED) this.#wake();
      else listener(event as Event);
      next = receiveMessageOnPort(this.#control);
    }
  }

  #wake(): void {
    const waiting = this.#quiesced;
    this.#quiesced = [];
    for (const done of waiting) done();
  }
}
