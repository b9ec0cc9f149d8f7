/**
 * The machine: owns the threads and what the host gave, and takes the guest from power-on to its end. It lives in the
 * embedding program's thread and never blocks it.
 *
 *   create -> stopped;  start -> running;  pause -> paused;  resume -> running;  the guest's end, stop or a failure -> ended
 */
import { MessageChannel } from "node:worker_threads";
import { releaseProxy, wrap } from "comlink";
import type { Remote } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { resolveConfig } from "../shared/config.js";
import type { ChardevConfig, MachineConfig, ResolvedConfig } from "../shared/config.js";
import { fromRecord, VmmError } from "../shared/errors.js";
import type { BootRegisters } from "../devices/boot/registers.js";
import { VcpuRequest } from "../xen/host.js";
import { carryErrors } from "./comlink-errors.js";
import { guestCpuid } from "./cpuid.js";
import type { MemoryDumper } from "./dump/memory-dumper.js";
import { loadGuest } from "./guest-loader.js";
import { openLibc } from "./host/libc.js";
import type { OpenDisk } from "./host/open-file.js";
import { HostResources } from "./host-resources.js";
import { HYPERCALL_MSR } from "./hypercall-msr.js";
import type { EndReason } from "./lifecycle.js";
import { openLog } from "./log.js";
import type { LogSink } from "./log.js";
import { MachineControl } from "./machine-control.js";
import { OutputStreams } from "./output-streams.js";
import type { StreamListener } from "./output-streams.js";
import type { ActorEvent, ActorStart, DeviceApi, VcpuApi, VcpuOutcome } from "./protocol.js";
import { ringingEndpoint } from "./ringing-endpoint.js";
import type { StreamName } from "./streams.js";
import { unlessDead, within } from "./waiting.js";
import { startWorker } from "./workers.js";
import type { ActorHandle } from "./workers.js";

/** Why a machine came to its end. */
export type MachineEnd =
  | { readonly kind: "poweroff" }
  /** The guest asked for a reset and the machine was told not to do it. */
  | { readonly kind: "reset-requested" }
  /** The guest wrote to the debug exit port; `code` is what QEMU would exit with. */
  | { readonly kind: "debug-exit"; readonly code: number }
  /** `report` is text of several lines for a person. */
  | { readonly kind: "crash"; readonly report: string }
  /** Somebody called `stop()`. */
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly error: Error };

export type MachineStatus = "stopped" | "running" | "paused" | "ended";

export interface MachineOptions {
  /** Where log records go; standard error, as the configuration says, when absent. */
  readonly log?: LogSink;
}

interface VcpuHandle extends ActorHandle {
  readonly api: Remote<VcpuApi>;
}

interface DeviceHandle extends ActorHandle {
  readonly api: Remote<DeviceApi>;
}

/** How long the actors get to end by themselves before their threads are ended. */
const GRACE_MS = 2000;
/** How long the listeners get to take the guest's last words. */
const DRAIN_MS = 5000;
const INPUT_RETRY_MS = 5;

carryErrors();

export class Machine implements AsyncDisposable {
  /** Complete configuration, defaults filled in. */
  readonly config: ResolvedConfig;
  /** Settles once, when all that the guest wrote has gone to the listeners; never rejects. */
  readonly ended: Promise<MachineEnd>;
  readonly #host: HostResources;
  readonly #control: MachineControl;
  readonly #streams: OutputStreams;
  readonly #log: LogSink;
  readonly #vcpus: readonly VcpuHandle[];
  #dumper: MemoryDumper | undefined;
  /** Between the device actor and each disk actor. */
  readonly #diskChannels: readonly MessageChannel[];
  #deviceHandle: DeviceHandle | undefined;
  #disks: readonly ActorHandle[] = [];
  #registers: BootRegisters | undefined;
  #places: Readonly<Record<string, string>> = {};
  #status: MachineStatus = "stopped";
  /** Settles when all vCPUs are at rest. */
  #running: Promise<void> = Promise.resolve();
  /** Somebody wants the vCPUs at rest: a reset that is under way must not let them go on. */
  #halting = false;
  #resolveEnded: (end: MachineEnd) => void = () => undefined;
  #disposed: Promise<void> | undefined;

  private constructor(config: ResolvedConfig, options: MachineOptions) {
    this.config = config;
    this.#log = options.log ?? openLog(config.log);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const libc = openLibc();
    this.#host = HostResources.acquire(libc, config);
    const { parts, scratch, vcpuFds } = this.#host;
    const cpuids = this.#orRelease(() => vcpuFds.map((_, index) => this.#cpuid(index)));
    this.#control = new MachineControl(parts, libc, scratch);
    this.#control.clock.reset();
    this.#vcpus = vcpuFds.map((vcpuFd, index) => {
      const port = this.#openEvents();
      const init = { parts, index, events: port, vcpuFd, cpuid: cpuids[index] ?? [] };
      const handle = startWorker(`vcpu${index}`, { kind: "vcpu", init }, [port]);
      return { ...handle, api: wrap<VcpuApi>(nodeEndpoint(handle.worker)) };
    });
    this.#diskChannels = this.#host.disks.map(() => new MessageChannel());
    this.#streams = new OutputStreams((stream, count) => {
      void this.#devices.api.acknowledge(stream, count);
    });
  }

  /**
   * Makes a machine, switched off. Nothing is left behind when it fails.
   *
   * @throws VmmError CONFIG, HOST_UNSUPPORTED or HOST_SYSCALL, with one line for a person
   */
  static async create(config: MachineConfig, options: MachineOptions = {}): Promise<Machine> {
    const machine = new Machine(resolveConfig(config), options);
    try {
      await machine.#setUp();
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
    return machine;
  }

  status(): MachineStatus {
    return this.#status;
  }

  /** Where a stream can be found on the host: the path of a pty, for one. */
  get places(): Readonly<Record<string, string>> {
    return this.#places;
  }

  /** How hypercalls and events are carried: "kernel" by KVM's Xen support, "userspace" by us, "none" without Xen. */
  get transport(): "none" | "kernel" | "userspace" {
    return this.#host.parts.transport.kind;
  }

  /** Switches the machine on. */
  async start(): Promise<void> {
    this.#expect("stopped", "start");
    if (this.#chardevs().some((chardev) => chardev.kind === "socket" && chardev.server && chardev.wait)) {
      await Promise.race([unlessDead(this.#devices, this.#devices.api.connected()), this.ended]);
      this.#expect("stopped", "start");
    }
    await this.#powerOn();
    // It may have been stopped meanwhile.
    this.#expect("stopped", "start");
    this.#go();
    this.#powerOnDevices();
    this.#disks = this.#startDisks();
  }

  /** Stops the vCPUs and the guest's clock; resolves when all is at rest. */
  async pause(): Promise<void> {
    this.#expect("running", "pause");
    this.#requestHalt();
    await this.#running;
    if (this.#status !== "running") return;
    this.#status = "paused";
    await unlessDead(this.#devices, this.#devices.api.pause());
  }

  async resume(): Promise<void> {
    this.#expect("paused", "resume");
    this.#control.lifecycle.clear();
    await unlessDead(this.#devices, this.#devices.api.resume());
    this.#go();
  }

  /** Presses the reset button: the guest starts over, running or paused as before. */
  async reset(): Promise<void> {
    if (this.#status === "paused") {
      await this.#resetGuest();
      return;
    }
    this.#expect("running", "reset");
    this.#control.lifecycle.end("reset", -1);
    this.#control.kicks.requestAll(VcpuRequest.control);
  }

  /** Ends the machine at once, as pulling the plug does. */
  async stop(): Promise<void> {
    if (this.#status === "ended") return;
    await this.#haltVcpus();
    await this.#finish({ kind: "stopped" });
  }

  /** Presses the ACPI power button. */
  async powerButton(): Promise<void> {
    if (this.#status !== "paused") this.#expect("running", "press the power button of");
    await unlessDead(this.#devices, this.#devices.api.pressPowerButton());
  }

  /** Gives bytes to the guest; resolves when the device has taken all of them. */
  async writeStream(stream: StreamName, bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.length && this.#status !== "ended") {
      // A machine that ends meanwhile takes nothing more.
      const taken = await Promise.race([
        this.#devices.api.input(stream, bytes.subarray(done)),
        this.ended.then(() => bytes.length),
      ]);
      done += taken;
      if (taken === 0) await new Promise((resolve) => setTimeout(resolve, INPUT_RETRY_MS));
    }
  }

  /**
   * Calls `listener` with what the guest writes from now on. When it returns a promise, nothing more comes before that
   * resolves, and the guest waits once the device's buffer is full.
   */
  onStream(stream: StreamName, listener: StreamListener): void {
    this.#streams.listen(stream, listener);
  }

  /** Writes the guest's memory and registers to an ELF core file at `path`; a machine that runs is paused meanwhile. */
  async dumpMemory(path: string): Promise<void> {
    // Loaded when wanted: most machines are never dumped.
    const { MemoryDumper } = await import("./dump/memory-dumper.js");
    this.#dumper ??= new MemoryDumper(this.#host.parts, () =>
      Promise.all(this.#vcpus.map((vcpu) => unlessDead(vcpu, vcpu.api.registers()))),
    );
    await this.#dumper.dump(this, path);
  }

  /** Registers, instruction and last exits of each vCPU. Paused only. */
  async describeVcpus(): Promise<string> {
    this.#expect("paused", "describe the vCPUs");
    const reports = await Promise.all(this.#vcpus.map(({ api }) => api.report()));
    return reports.join("\n");
  }

  /** Stops the machine if it runs and gives everything back to the host. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    await this.#disposed;
  }

  /** What can fail before there are threads to end: the host gets its own back then. */
  #orRelease<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#host.release();
      throw error;
    }
  }

  #cpuid(vcpu: number): ReturnType<typeof guestCpuid> {
    const { supportedCpuid, parts, tscDeadline, tscKhz } = this.#host;
    return guestCpuid({
      config: this.config,
      supported: supportedCpuid,
      vcpu,
      apicId: parts.apicIds[vcpu] ?? 0,
      tscDeadline,
      tscKhz,
      hypercallMsr: HYPERCALL_MSR,
    });
  }

  async #setUp(): Promise<void> {
    for (const vcpu of this.#vcpus) this.#watch(vcpu);
    this.#registers = loadGuest(this.#host.parts);
    // Chardevs of the host's can fail to open, and have a place to tell: both before the machine starts.
    if (this.#chardevs().some(({ kind }) => kind !== "stream" && kind !== "null")) {
      this.#places = (await unlessDead(this.#devices, this.#devices.api.setUp())).places;
    }
  }

  /** The device actor, started when first wanted: the guest's first instruction does not wait for it. */
  get #devices(): DeviceHandle {
    this.#deviceHandle ??= this.#startDevices();
    return this.#deviceHandle;
  }

  #startDevices(): DeviceHandle {
    const { parts, disks } = this.#host;
    const port = this.#openEvents();
    const channels = this.#diskChannels.map(({ port1: control }, index) => ({ control, disk: diskAt(disks, index) }));
    const start: ActorStart = { kind: "device", init: { parts, index: 0, events: port, disks: channels } };
    const handle = startWorker("devices", start, [port, ...channels.map(({ control }) => control)]);
    this.#watch(handle);
    const bell = this.#control.doorbells[0];
    if (bell === undefined) throw new RangeError("The device actor has no doorbell");
    return { ...handle, api: wrap<DeviceApi>(ringingEndpoint(handle.worker, bell)) };
  }

  /** PV disks are wanted once the guest's driver is up. */
  #startDisks(): readonly ActorHandle[] {
    const { parts, disks } = this.#host;
    return this.#diskChannels.map(({ port2: control }, index) => {
      const port = this.#openEvents();
      const init = { parts, index, events: port, control, disk: diskAt(disks, index) };
      const handle = startWorker(`disk${index}`, { kind: "disk", init }, [port, control]);
      this.#watch(handle);
      return handle;
    });
  }

  #chardevs(): readonly ChardevConfig[] {
    const { serials, xenConsole, debugcon } = this.config;
    return [...serials, xenConsole, debugcon?.chardev].filter((chardev) => chardev !== undefined && chardev !== null);
  }

  /** Power-on state of the platform and the vCPUs. */
  async #powerOn(): Promise<void> {
    const [boot, ...others] = this.#vcpus;
    if (boot === undefined) throw new RangeError("The machine has no vCPU");
    await unlessDead(boot, boot.api.reset(this.#registers));
    await Promise.all(others.map((vcpu) => unlessDead(vcpu, vcpu.api.reset(undefined))));
  }

  /** After the platform's. vCPUs may run meanwhile: their first hypercall waits for it. */
  #powerOnDevices(): void {
    void unlessDead(this.#devices, this.#devices.api.powerOn()).catch(() => undefined);
  }

  /** Back to power-on state, with the guest's kernel in memory anew. vCPUs are at rest. */
  async #resetGuest(): Promise<void> {
    await unlessDead(this.#devices, this.#devices.api.release());
    this.#control.lifecycle.devicesReady = false;
    this.#registers = loadGuest(this.#host.parts);
    await this.#powerOn();
    this.#powerOnDevices();
  }

  /** Lets the vCPUs run and follows them. */
  #go(): void {
    this.#status = "running";
    this.#halting = false;
    this.#startClock();
    this.#running = this.#follow();
  }

  /** The device actor sleeps without a deadline while time stands still. */
  #startClock(): void {
    this.#control.clock.start();
    this.#control.doorbells[0]?.ring();
  }

  /** Runs the guest until it is paused or ends, over as many resets as it asks for. Never rejects. */
  async #follow(): Promise<void> {
    try {
      for (;;) {
        const outcomes = await Promise.all(this.#vcpus.map((vcpu) => unlessDead<VcpuOutcome>(vcpu, vcpu.api.run())));
        this.#control.clock.stop();
        const failed = outcomes.find((outcome) => outcome.kind === "failed");
        if (failed !== undefined) throw fromRecord(failed.error);
        const next = this.#judge(this.#control.lifecycle.reason, outcomes);
        if (next === "pause") {
          // A guest that powered off and is kept (no-shutdown) can be looked at, or reset.
          if (this.#control.lifecycle.reason !== "none" && this.#status === "running") this.#status = "paused";
          return;
        }
        if (next !== "reset") {
          void this.#finish(next);
          return;
        }
        await this.#resetGuest();
        if (this.#halting) return;
        this.#control.lifecycle.clear();
        this.#startClock();
      }
    } catch (error) {
      void this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What follows now that all vCPUs are at rest. */
  #judge(reason: EndReason, outcomes: readonly VcpuOutcome[]): MachineEnd | "pause" | "reset" {
    const { lifecycle } = this.#control;
    const crashed = outcomes.find((outcome) => outcome.kind === "crashed");
    if (crashed !== undefined) return { kind: "crash", report: crashed.report };
    switch (reason) {
      case "none":
        return "pause";
      case "poweroff":
        return this.config.noShutdown ? "pause" : { kind: "poweroff" };
      case "reset":
      case "soft-reset":
      case "watchdog":
        return this.config.noReboot ? { kind: "reset-requested" } : "reset";
      case "debug-exit":
        return { kind: "debug-exit", code: lifecycle.detail };
      case "suspend":
        return { kind: "crash", report: "the guest suspended itself, which this machine does not support" };
      case "crash":
        return { kind: "crash", report: `the guest reported a crash of its own (vCPU ${lifecycle.vcpu})` };
      case "failed":
        return { kind: "failed", error: new VmmError("ACTOR_FAILED", "A thread of the machine failed") };
      default:
        return reason satisfies never;
    }
  }

  async #fail(error: Error): Promise<void> {
    await this.#haltVcpus();
    await this.#finish({ kind: "failed", error });
  }

  /** Gets every vCPU out of the guest. */
  async #haltVcpus(): Promise<void> {
    this.#requestHalt();
    await within(GRACE_MS, this.#running);
  }

  #requestHalt(): void {
    this.#halting = true;
    this.#control.lifecycle.stop();
    this.#control.kicks.requestAll(VcpuRequest.control);
  }

  async #finish(end: MachineEnd): Promise<void> {
    if (this.#status === "ended") return;
    this.#status = "ended";
    const { lifecycle } = this.#control;
    // A guest that ended before the device actor was up has written nothing that it could hold.
    if (lifecycle.devicesReady || lifecycle.outputWaits) await within(DRAIN_MS, this.#drain());
    this.#resolveEnded(end);
  }

  /** Until all that the guest wrote has been handed over. */
  async #drain(): Promise<void> {
    while (!(await unlessDead(this.#devices, this.#devices.api.drained()))) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.#streams.idle();
  }

  async #dispose(): Promise<void> {
    await this.stop();
    await this.#dumper?.abandon();
    const device = this.#deviceHandle;
    const actors = [...this.#vcpus, ...(device === undefined ? [] : [device]), ...this.#disks];
    for (const actor of actors) actor.expectEnd();
    if (device !== undefined) await within(GRACE_MS, Promise.race([device.api.stop(), device.gone]));
    for (const { api } of this.#vcpus) void api.stop();
    // Each ends by itself: a thread that is torn down while it still loads its code leaves files open.
    await within(GRACE_MS, Promise.all(actors.map(({ gone }) => gone)));
    device?.api[releaseProxy]();
    for (const { api } of this.#vcpus) api[releaseProxy]();
    await Promise.all(actors.map(({ worker }) => worker.terminate()));
    for (const { port1, port2 } of this.#diskChannels) {
      port1.close();
      port2.close();
    }
    this.#streams.close();
    this.#host.release();
  }

  /** A worker that dies takes the machine down; the error reaches whoever waits for its end. */
  #watch(actor: ActorHandle): void {
    actor.died.catch((error: unknown) => {
      void this.#fail(error as Error);
    });
  }

  #openEvents(): MessageChannel["port2"] {
    const { port1, port2 } = new MessageChannel();
    port1.on("message", (event: ActorEvent) => {
      if (event.kind === "log") {
        this.#log(event.record);
        if (event.record.level === "trace") this.#control.traceFlow.arrived();
      } else this.#streams.deliver(event.stream, event.bytes);
    });
    // The program decides how long it lives; a machine that it forgot must not keep it.
    port1.unref();
    return port2;
  }

  #expect(status: MachineStatus, what: string): void {
    if (this.#status !== status) {
      throw new VmmError("STATE", `Cannot ${what} a machine that is ${this.#status}: it must be ${status}`, {
        status: this.#status,
      });
    }
  }
}

function diskAt(disks: readonly OpenDisk[], index: number): OpenDisk {
  const disk = disks[index];
  if (disk === undefined) throw new RangeError(`There is no disk ${index}`);
  return disk;
}
