/** A machine without a guest, for the host's side of a stress run: a spec plays the guest. */
import type { MachineEnd, MachineStatus } from "../../actors/machine-end.js";
import type { StreamListener } from "../../actors/output-streams.js";
import type { StressedMachine } from "../../stress/host-actions.js";

export class FakeMachine implements StressedMachine {
  readonly ended: Promise<MachineEnd>;
  readonly transport = "userspace";
  /** Calls in order. */
  readonly calls: string[] = [];
  /** What the guest does when it is started, reset or spoken to. */
  onStart: () => void = () => undefined;
  onReset: () => void = () => undefined;
  onInput: (text: string) => void = () => undefined;
  onTarget: (bytes: number) => void = () => undefined;
  #state: MachineStatus = "stopped";
  #listener: StreamListener = () => undefined;
  #end: (end: MachineEnd) => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** The guest writes a line. */
  say(line: string): void {
    void this.#listener(new TextEncoder().encode(`${line}\n`));
  }

  end(end: MachineEnd): void {
    this.#state = "ended";
    this.#end(end);
  }

  status(): MachineStatus {
    return this.#state;
  }

  start(): Promise<void> {
    return this.#did("start", "running", this.onStart);
  }

  pause(): Promise<void> {
    return this.#did("pause", "paused");
  }

  resume(): Promise<void> {
    return this.#did("resume", "running");
  }

  reset(): Promise<void> {
    return this.#did("reset", "running", this.onReset);
  }

  stop(): Promise<void> {
    return this.#did("stop", "ended", () => {
      this.end({ kind: "stopped" });
    });
  }

  writeStream(_stream: string, bytes: Uint8Array): Promise<void> {
    const text = new TextDecoder().decode(bytes);
    return this.#did(`write ${text.trimEnd()}`, this.#state, () => {
      this.onInput(text);
    });
  }

  setMemoryTarget(bytes: number): Promise<void> {
    return this.#did(`setMemoryTarget ${bytes}`, this.#state, () => {
      this.onTarget(bytes);
    });
  }

  async pciFunctions(): ReturnType<StressedMachine["pciFunctions"]> {
    await this.#did("pciFunctions", this.#state);
    return [{ device: 0, function: 0, vendorId: 0, deviceId: 0, classCode: 0, bars: [] }] as unknown as Awaited<
      ReturnType<StressedMachine["pciFunctions"]>
    >;
  }

  async networks(): ReturnType<StressedMachine["networks"]> {
    await this.#did("networks", this.#state);
    return [];
  }

  async cdDrives(): ReturnType<StressedMachine["cdDrives"]> {
    await this.#did("cdDrives", this.#state);
    return [];
  }

  describeVcpus(): Promise<string> {
    return Promise.resolve("vCPU 0: rip 0\n");
  }

  onStream(_stream: string, listener: StreamListener): void {
    this.#listener = listener;
  }

  #did(call: string, state: MachineStatus, then: () => void = () => undefined): Promise<void> {
    this.calls.push(call);
    if (this.#state !== "ended") this.#state = state;
    then();
    return Promise.resolve();
  }
}
