/** A machine without a guest: it remembers what it is told, and a spec plays the guest. */
import type { StreamName } from "../../index.js";
import type { EvtchnPort } from "../../shared/brand.js";
import type { MachineEnd, RunnableMachine, StreamListener } from "../../cli/library.js";

export class FakeMachine implements RunnableMachine {
  readonly ended: Promise<MachineEnd>;
  /** Calls in order. */
  readonly calls: string[] = [];
  state = "running";
  poweredOff = false;
  config: RunnableMachine["config"] = { disks: [], nets: [] };
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

  suspend(): Promise<void> {
    return this.#did("suspend", () => {
      this.state = "suspended";
    });
  }

  setMemoryTarget(bytes: number): Promise<void> {
    return this.#did(`setMemoryTarget ${bytes}`);
  }

  powerButton(): Promise<void> {
    return this.#did("powerButton");
  }

  dumpMemory(path: string): Promise<void> {
    return this.#did(`dumpMemory ${path}`);
  }

  sendBreak(stream: StreamName): Promise<void> {
    return this.#did(`break ${stream}`);
  }

  async pciFunctions(): ReturnType<RunnableMachine["pciFunctions"]> {
    await this.#did("pciFunctions");
    return [];
  }

  async networks(): ReturnType<RunnableMachine["networks"]> {
    await this.#did("networks");
    return [];
  }

  async eventPorts(): ReturnType<RunnableMachine["eventPorts"]> {
    await this.#did("eventPorts");
    const row = { port: 1 as EvtchnPort, vcpu: 0, remoteDomain: undefined, target: 0, pending: false, masked: false };
    return [
      { ...row, kind: "interdomain", remoteDomain: 0, target: 1, masked: true },
      { ...row, port: 17 as EvtchnPort, kind: "ipi", vcpu: 1, pending: true },
      { ...row, port: 1000 as EvtchnPort, kind: "virq", target: 3 },
      { ...row, port: 4 as EvtchnPort, kind: "unbound", remoteDomain: 1, pending: true, masked: true },
    ];
  }

  async injectEvent(port: number): Promise<boolean> {
    await this.#did(`inject ${port}`);
    return port !== 3;
  }

  async describeVcpus(): Promise<string> {
    await this.#did("describeVcpus");
    return "vCPU 0:";
  }

  async cdDrives(): ReturnType<RunnableMachine["cdDrives"]> {
    await this.#did("cdDrives");
    return [];
  }

  changeMedium(id: string, path: string | undefined, options: { readonly force?: boolean } = {}): Promise<void> {
    return this.#did(`change ${id} ${path ?? "nothing"}${options.force === true ? " by force" : ""}`);
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
