/**
 * The machine: owns the threads and what the host gave, and takes the guest from power-on to its end. It lives in the
 * embedding program's thread and never blocks it.
 *
 *   create -> stopped;  start -> running;  pause -> paused;  resume -> running;  the guest's end, stop or a failure -> ended
 *   a Xen guest suspends itself -> suspended;  resume -> running
 */
import { MessageChannel } from "node:worker_threads";
import { releaseProxy } from "comlink";
import { chardevsOf, resolveConfig } from "../shared/config.js";
import type { MachineConfig, ResolvedConfig } from "../shared/config.js";
import { fromRecord, VmmError } from "../shared/errors.js";
import type { BootRegisters } from "../devices/boot/registers.js";
import type { PciFunctionReport } from "../devices/pci/inventory.js";
import { logTo } from "../shared/log.js";
import { VcpuRequest } from "../xen/host.js";
import type { PortStatus } from "../xen/port-list.js";
import { attend, dismiss } from "./abandonment.js";
import { carryErrors } from "./comlink-errors.js";
import type { MemoryDumper } from "./dump/memory-dumper.js";
import { GuestClock } from "./guest-clock.js";
import { loadGuest } from "./guest-loader.js";
import { openLibc } from "./host/libc.js";
import { HostResources } from "./host-resources.js";
import { IoActors } from "./io-actors.js";
import { lastWords } from "./last-words.js";
import { openLog } from "./log.js";
import type { LogSink } from "./log.js";
import { MachineControl } from "./machine-control.js";
import { machineMedia } from "./machine-media.js";
import type { CdDriveStatus, ChangeMediumOptions, Media, TrayListener } from "./media.js";
import { endByFailure, judge } from "./machine-end.js";
import type { MachineEnd, MachineStatus } from "./machine-end.js";
import type { MachineOptions } from "./machine-options.js";
import { networkStatus } from "./network-status.js";
import type { NetworkStatus } from "./network-status.js";
import { OutputStreams } from "./output-streams.js";
import type { StreamListener } from "./output-streams.js";
import type { ActorEvent } from "./protocol.js";
import { giveInput } from "./stream-input.js";
import type { StreamName } from "./streams.js";
import { TripleFaults } from "./triple-faults.js";
import { resetVcpus, runAsItIs, runFromReset, runVcpus, startVcpus, vcpuCpuids } from "./vcpu-actors.js";
import type { StartedVcpus, VcpuHandle, VcpuRun } from "./vcpu-actors.js";
import { endWorkers, unlessDead, within } from "./waiting.js";
import { SuspendAnswer, XenControl } from "./xen-control.js";

/** How long the actors get to end by themselves before their threads are ended. */
const GRACE_MS = 2000;

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
  readonly #lastOfProcess: boolean;
  readonly #startedVcpus: StartedVcpus;
  readonly #io: IoActors;
  readonly #media: Media;
  readonly #clock: GuestClock;
  readonly #tripleFaults: TripleFaults;
  readonly #xenControl: XenControl;
  #dumper: MemoryDumper | undefined;
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
    this.#lastOfProcess = options.lastOfProcess ?? false;
    this.#tripleFaults = new TripleFaults(this.#log);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const libc = openLibc();
    this.#host = HostResources.acquire(libc, config);
    const cpuids = vcpuCpuids(this.#host);
    this.#control = new MachineControl(this.#host.parts, libc, this.#host.scratch);
    const { clock, doorbells } = this.#control;
    clock.reset();
    this.#clock = new GuestClock({ clock, vm: this.#host.vm, bell: doorbells[0] });
    this.#startedVcpus = startVcpus(this.#host, cpuids, () => this.#openEvents());
    this.#xenControl = new XenControl({
      log: logTo("machine", this.#log),
      lifecycle: this.#control.lifecycle,
      ended: this.ended,
      devices: () => this.#devices.api,
      vcpus: () => this.#vcpus.map(({ api }) => api),
    });
    this.#io = new IoActors({
      resources: this.#host,
      bell: this.#control.doorbells[0],
      openEvents: () => this.#openEvents(),
      started: (actor) => {
        this.#orFail(actor.died);
      },
    });
    this.#media = machineMedia({
      resources: this.#host,
      devices: () => this.#devices,
      started: () => this.#status !== "stopped",
      ended: this.ended,
    });
    this.#streams = new OutputStreams((stream, count) => {
      this.#orFail(this.#devices.api.acknowledge(stream, count));
    });
    attend(this.#control);
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

  /** The guest has powered off, and the machine is kept (no-shutdown) until it is reset or stopped. */
  get poweredOff(): boolean {
    return this.#status === "paused" && this.#control.lifecycle.reason === "poweroff";
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
    if (chardevsOf(this.config).some((chardev) => chardev.kind === "socket" && chardev.server && chardev.wait)) {
      await Promise.race([unlessDead(this.#devices, this.#devices.api.connected()), this.ended]);
      this.#expect("stopped", "start");
    }
    if (this.#vcpus.length === 1) this.#go(runFromReset(this.#registers));
    else {
      await resetVcpus(this.#vcpus, this.#registers);
      // It may have been stopped meanwhile.
      this.#expect("stopped", "start");
      this.#clock.start();
      this.#go();
    }
    this.#powerOnDevices();
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

  /**
   * Lets a machine that is paused, or whose guest has suspended itself, go on. A guest that was suspended is told that
   * nothing has happened, or (`asNewDomain`) that it is in a new domain, where it sets up everything with Xen anew.
   */
  async resume({ asNewDomain = false }: { readonly asNewDomain?: boolean } = {}): Promise<void> {
    if (this.#status === "suspended") {
      await this.#xenControl.wake(asNewDomain ? SuspendAnswer.restored : SuspendAnswer.cancelled);
    } else this.#expect("paused", "resume");
    if (this.poweredOff) throw new VmmError("STATE", "Cannot resume a machine that has powered off: reset it first");
    this.#control.lifecycle.clear();
    await unlessDead(this.#devices, this.#devices.api.resume());
    this.#clock.start();
    this.#go();
  }

  /** Presses the reset button: the guest starts over, running or paused as before. */
  async reset(): Promise<void> {
    if (this.#status === "paused" || this.#status === "suspended") {
      this.#status = "paused";
      this.#control.lifecycle.clear();
      this.#clock.letGo();
      await this.#resetGuest();
      return;
    }
    this.#expect("running", "reset");
    this.#control.lifecycle.end("reset", -1);
    this.#control.kicks.requestAll(VcpuRequest.control);
  }

  /** Asks a Xen guest to suspend itself; resolves when it has. @throws VmmError STATE when its kernel cannot */
  async suspend(): Promise<void> {
    this.#expect("running", "suspend the guest of");
    await this.#xenControl.suspend();
  }

  /**
   * Sets the memory that a Xen guest's balloon driver aims at: what it gives up goes back to the host.
   *
   * @throws VmmError CONFIG when it is more than the machine has
   */
  async setMemoryTarget(bytes: number): Promise<void> {
    if (!(bytes > 0 && bytes <= this.config.memoryBytes)) {
      throw new VmmError("CONFIG", `Cannot give the guest ${bytes} bytes: the machine has ${this.config.memoryBytes}`);
    }
    if (this.#status !== "paused") this.#expect("running", "set the memory target of");
    await this.#xenControl.setMemoryTarget(bytes);
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

  /** Holds a serial port's line in the break condition for a moment: Linux takes the next key as a SysRq. */
  async sendBreak(stream: StreamName): Promise<void> {
    if (this.#status !== "paused") this.#expect("running", "send a break to");
    await unlessDead(this.#devices, this.#devices.api.sendBreak(stream));
  }

  /** What the guest sees on the PCI bus, and where it or its firmware has put it. */
  async pciFunctions(): Promise<readonly PciFunctionReport[]> {
    if (this.#status !== "paused") this.#expect("running", "look at the PCI bus of");
    return unlessDead(this.#devices, this.#devices.api.pciFunctions());
  }

  /** The event channels in use, by port. @throws VmmError CONFIG when the guest is no Xen guest */
  async eventPorts(): Promise<readonly PortStatus[]> {
    if (this.#status !== "paused") this.#expect("running", "list the event channels of");
    return unlessDead(this.#devices, this.#xenControl.eventPorts());
  }

  /** Raises an event channel of the guest's; false when `port` is not in use. @throws VmmError as {@link eventPorts} */
  async injectEvent(port: number): Promise<boolean> {
    if (this.#status !== "paused") this.#expect("running", "raise an event of");
    return unlessDead(this.#devices, this.#xenControl.injectEvent(port));
  }

  /**
   * Puts the image at `path` into the CD drive that is the disk called `id`, or takes out what is there and leaves the tray
   * open. The guest is told, and a reset does not bring the disc before back.
   *
   * @throws VmmError CONFIG when there is no such drive or the image cannot be used, and the drive stays as it was; STATE
   *   when the guest has locked the tray: it has been asked to let go then
   */
  async changeMedium(id: string, path: string | undefined, options?: ChangeMediumOptions): Promise<void> {
    if (this.#status === "ended") this.#expect("running", "change a disc of");
    await this.#media.change(id, path, options);
  }

  /** The CD drives, and what is in them. */
  async cdDrives(): Promise<readonly CdDriveStatus[]> {
    if (this.#status === "ended") this.#expect("running", "look at the CD drives of");
    return this.#media.drives();
  }

  /** Calls `listener` when the guest has opened or closed the tray of a CD drive. */
  onTrayMoved(listener: TrayListener): void {
    this.#media.listen(listener);
  }

  /** The network cards as they are now; those of a machine that is off have no link. */
  async networks(): Promise<readonly NetworkStatus[]> {
    const on = this.#status === "running" || this.#status === "paused";
    return networkStatus(this.config, on ? await unlessDead(this.#devices, this.#devices.api.links()) : []);
  }

  /** Gives bytes to the guest; resolves when the device has taken all of them. */
  async writeStream(stream: StreamName, bytes: Uint8Array): Promise<void> {
    if (this.#status === "ended") return;
    await giveInput(bytes, { ended: this.ended, input: (part) => this.#devices.api.input(stream, part) });
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

  async #setUp(): Promise<void> {
    if (this.#startedVcpus.failure !== undefined) throw this.#startedVcpus.failure;
    for (const vcpu of this.#vcpus) this.#orFail(vcpu.died);
    this.#registers = loadGuest(this.#host.parts);
    await this.#host.userNetworks.start(logTo("net", this.#log));
    // Chardevs of the host's can fail to open, and have a place to tell: both before the machine starts.
    if (chardevsOf(this.config).some(({ kind }) => kind !== "stream" && kind !== "null")) {
      this.#places = (await unlessDead(this.#devices, this.#devices.api.setUp())).places;
    }
  }

  get #vcpus(): readonly VcpuHandle[] {
    return this.#startedVcpus.handles;
  }

  get #devices(): IoActors["devices"] {
    return this.#io.devices;
  }

  /** After the platform's, or as it is reset. vCPUs may run meanwhile: their first hypercall that may need them waits. */
  #powerOnDevices(): void {
    this.#orFail(this.#io.powerOn());
  }

  /** Back to power-on state, with the guest's kernel in memory anew. vCPUs are at rest. */
  async #resetGuest(): Promise<void> {
    await unlessDead(this.#devices, this.#devices.api.release("full"));
    this.#control.lifecycle.devicesReady = false;
    this.#registers = loadGuest(this.#host.parts);
    await resetVcpus(this.#vcpus, this.#registers);
    this.#powerOnDevices();
  }

  /** Lets the vCPUs run and follows them. */
  #go(run = runAsItIs): void {
    this.#status = "running";
    this.#halting = false;
    this.#running = this.#follow(run);
  }

  /** Runs the guest until it is paused or ends, over as many resets as it asks for. Never rejects. */
  async #follow(firstRun: VcpuRun): Promise<void> {
    try {
      for (let run = firstRun; ; run = runAsItIs) {
        const outcomes = await runVcpus(this.#vcpus, run);
        const failed = outcomes.find((outcome) => outcome.kind === "failed");
        if (failed !== undefined) throw fromRecord(failed.error);
        this.#clock.stop();
        const next = judge({
          outcomes,
          lifecycle: this.#control.lifecycle,
          config: this.config,
          resets: (report) => this.#tripleFaults.resets(report, this.#control.clock.nowNs(), this.config.noReboot),
        });
        if (next === "pause") {
          // A guest that powered off and is kept (no-shutdown) can be looked at, or reset.
          if (this.#control.lifecycle.reason !== "none" && this.#status === "running") this.#status = "paused";
          return;
        }
        if (next === "suspend") {
          await unlessDead(this.#devices, this.#devices.api.pause());
          this.#status = "suspended";
          this.#xenControl.arrived();
          return;
        }
        if (next !== "reset" && next !== "soft-reset") {
          void this.#finish(next);
          return;
        }
        this.#clock.letGo();
        if (next === "reset") await this.#resetGuest();
        else await this.#xenControl.softReset();
        if (this.#halting) return;
        this.#control.lifecycle.clear();
        this.#clock.start();
      }
    } catch (error) {
      void this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #fail(error: Error): Promise<void> {
    await this.#haltVcpus();
    await this.#finish(endByFailure(error, this.#host.vm));
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
    if (lifecycle.devicesReady || lifecycle.outputWaits) await lastWords(this.#devices, this.#streams);
    this.#resolveEnded(end);
  }

  async #dispose(): Promise<void> {
    await this.stop();
    await this.#dumper?.abandon();
    const actors = [...this.#vcpus, ...this.#io.all];
    for (const actor of actors) actor.expectEnd();
    if (this.#lastOfProcess) this.#io.callOff();
    await this.#io.stop(GRACE_MS);
    for (const { api } of this.#vcpus) void api.stop();
    try {
      await endWorkers(actors, this.#control.doorbells, GRACE_MS);
    } finally {
      for (const { api } of this.#vcpus) api[releaseProxy]();
      this.#io.close();
      this.#streams.close();
      dismiss(this.#control);
      await this.#host.releaseAll();
    }
  }

  /** A worker that dies or cannot be told takes the machine down; the error reaches whoever waits for its end. */
  #orFail(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      void this.#fail(error as Error);
    });
  }

  #openEvents(): MessageChannel["port2"] {
    const { port1, port2 } = new MessageChannel();
    port1.on("message", (event: ActorEvent) => {
      if (event.kind === "log") {
        this.#log(event.record);
        if (event.record.level === "trace") this.#control.traceFlow.arrived();
      } else if (event.kind === "disk-wanted") this.#orFail(this.#io.startXenDisk(event.disk));
      else if (event.kind === "tray") {
        this.#orFail(this.#devices.api.trayHeard(event.disk));
        this.#media.trayMoved(event.disk, event.open);
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
