/** An I/O actor's end of its conversation with the device actor, whose end is `IoLink`. */
import { receiveMessageOnPort } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { BackendOwner } from "../xen/host.js";
import type { ActorLoop } from "./actor-loop.js";
import type { IoRequest, Quiesced } from "./io-protocol.js";
import type { MachineThread } from "./thread.js";

export interface IoParts {
  readonly thread: MachineThread;
  readonly control: MessagePort;
  readonly loop: ActorLoop;
}

/** What an actor does when it is asked; `Request` is what its kind is asked beyond what every one is. */
export interface IoDuties<Request> {
  /** Takes nothing new, and calls `done` when nothing is under way. */
  quiesce(done: () => void): void;
  resume(): void;
  other(request: Request): void;
}

/** `Event` is what this kind of actor tells. */
export class IoConversation<Request extends { readonly kind: string } = never, Event = never> {
  readonly #parts: IoParts;

  constructor(parts: IoParts) {
    this.#parts = parts;
  }

  tell(event: Event | Quiesced): void {
    const { control, thread } = this.#parts;
    control.postMessage(event);
    thread.doorbells[BackendOwner.device]?.ring();
  }

  /** Does what has been asked since the last time. */
  poll(duties: IoDuties<Request>): void {
    const { control } = this.#parts;
    for (let next = receiveMessageOnPort(control); next !== undefined; next = receiveMessageOnPort(control)) {
      this.#handle(next.message as Request | IoRequest, duties);
    }
  }

  #handle(request: Request | IoRequest, duties: IoDuties<Request>): void {
    const { control, loop } = this.#parts;
    switch (request.kind) {
      case "quiesce":
        duties.quiesce(() => {
          this.tell({ kind: "quiesced" });
        });
        break;
      case "resume":
        duties.resume();
        break;
      case "stop":
        loop.stop();
        control.close();
        break;
      default:
        duties.other(request as Request);
    }
  }
}
