/** A machine without a guest: it remembers what it is told, and a spec plays the guest. */
import type { StreamName } from "../../index.js";
import type { MachineEnd, RunnableMachine, StreamListener } from "../../cli/library.js";

export class FakeMachine implements RunnableMachine {
  readonly ended: Promise<MachineEnd>;
  /** Calls in order. */
  readonly calls: string[] = [];
  state = "running";
  /** What `start` does once it has been called. */
  onStart: () => void = () => undefined;
  readonly #listeners = new Map<StreamName, StreamListener>();
  #end: (end: MachineEnd) => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  end(end: MachineEnd): void {
    this.#end(end);
  }

  /** The guest writes. */
  write(stream: StreamName, text: string): void {
    void this.#listeners.get(stream)?.(new TextEncoder().encode(text));
  }

  start(): Promise<void> {
    return this.#did("start", this.onStart);
  }

  pause(): Promise<void> {
    return this.#did("pause", () => {
      this.state = "paused";
    });
  }

  resume(): Promise<void> {
    return this.#did("resume", () => {
      this.state = "running";
    });
  }

  reset(): Promise<void> {
    return this.#did("reset");
  }

  stop(): Promise<void> {
    return this.#did("stop", () => {
      this.end({ kind: "stopped" });
    });
  }

  powerButton(): Promise<void> {
    return this.#did("powerButton");
  }

  dumpMemory(path: string): Promise<void> {
    return this.#did(`dumpMemory ${path}`);
  }

  status(): string {
    return this.state;
  }

  writeStream(stream: StreamName, bytes: Uint8Array): Promise<void> {
    return this.#did(`${stream} ${new TextDecoder().decode(bytes)}`);
  }

  onStream(stream: StreamName, listener: StreamListener): void {
    this.#listeners.set(stream, listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#did("dispose");
  }

  #did(call: string, then: () => void = () => undefined): Promise<void> {
    this.calls.push(call);
    then();
    return Promise.resolve();
  }
}
