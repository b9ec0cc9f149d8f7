/**
 * The device actor: xenstore, the PV devices' control sides, the consoles, and everything that happens at a time.
 *
 * It waits in one blocking call (actor-loop.ts). Other threads ring its doorbell after they have put something where it
 * looks: a byte in an output ring, an earlier deadline, a call in its mailbox.
 */
import { BackendOwner, netOwner, VcpuRequest } from "../xen/host.js";
import type { ByteRing } from "../shared/byte-ring.js";
import { vcpuId } from "../shared/brand.js";
import { VmmError } from "../shared/errors.js";
import { ActorLoop } from "./actor-loop.js";
import type { ActorWork } from "./actor-loop.js";
import { BOARD_DEADLINES } from "./deadlines.js";
import { DiskLink } from "./disk-link.js";
import { IoLink } from "./io-link.js";
import { GuestTextLog } from "./guest-text-log.js";
import type { OpenDisk } from "./host/open-file.js";
import type { DeviceSetup, DeviceWorkerInit, ShutdownRequest } from "./protocol.js";
import { Stream } from "./streams.js";
import type { StreamName } from "./streams.js";
import type { MachineThread } from "./thread.js";
import { TrayReports } from "./tray-reports.js";
import { XenSide } from "./xen-side.js";

export class DeviceThread implements ActorWork {
  /** What guests do with their CD drives' trays. */
  readonly trays: TrayReports;
  readonly #thread: MachineThread;
  readonly #loop: ActorLoop;
  readonly #streams = new Map<StreamName, Stream>();
  readonly #xen: XenSide | undefined;
  /** By disk. */
  readonly #disks: readonly DiskLink[];
  /** By network card. */
  readonly #nets: readonly IoLink[];
  /** What goes to the log besides. */
  readonly #texts: readonly GuestTextLog[];
  /** Of the sockets that hold the machine's start until somebody connects. */
  readonly #awaited: Promise<void>[] = [];

  constructor(thread: MachineThread, init: DeviceWorkerInit) {
    this.#thread = thread;
    this.#loop = new ActorLoop(thread, BackendOwner.device);
    this.#texts = this.#addStreams();
    this.#disks = init.disks.map(({ control }, index) => {
      const call = (): void => {
        thread.post({ kind: "disk-wanted", disk: index });
      };
      const bell = thread.doorbells[BackendOwner.disk0 + index];
      const onDemand = thread.config.disks[index]?.attach.kind === "xen";
      return new DiskLink(index, { control, bell, call: onDemand ? call : undefined });
    });
    this.trays = new TrayReports({
      drives: thread.board.ide.drives.flatMap(({ cdrom, index }) => (cdrom === undefined ? [] : [index])),
      takeMove: (index) => thread.board.ide.takeTrayMove(index),
      tell: (disk, open) => {
        thread.post({ kind: "tray", disk, open });
      },
    });
    this.#nets = init.nets.map(
      (control, index) => new IoLink(control, thread.doorbells[netOwner(init.disks.length, index)]),
    );
    this.#xen = thread.xen === undefined ? undefined : new XenSide(thread, thread.xen, { init, links: this.#disks });
  }

  /** Opens the host's ends of the streams. */
  setUp(): DeviceSetup {
    const { config, libc, scratch } = this.#thread;
    const host = {
      libc,
      scratch,
      poller: this.#loop.poller,
      settled: () => {
        this.#loop.again();
      },
    };
    const places: Record<string, string> = {};
    const open = (name: StreamName, chardev: (typeof config.serials)[number] | undefined): void => {
      if (chardev === undefined || chardev === null || chardev.kind === "stream") return;
      const opened = this.#streams.get(name)?.open(host, chardev);
      if (opened === undefined) return;
      places[name] = opened.place;
      if (chardev.kind === "socket" && chardev.server && chardev.wait) this.#awaited.push(opened.connected);
    };
    config.serials.forEach((serial, i) => {
      open(SERIAL_STREAMS[i] ?? "serial0", serial);
    });
    open("xen-console", config.xenConsole);
    open("debugcon", config.debugcon?.chardev);
    return { places };
  }

  /** Resolves when everybody is there without whom the machine shall not start. */
  async connected(): Promise<void> {
    await Promise.all(this.#awaited);
  }

  /** Gives the guest's rings and pages back, for a reset. */
  async release(reset: "full" | "soft"): Promise<void> {
    await Promise.all([this.#xen?.release(reset), ...this.#emulated().map((actor) => actor.quiesce())]);
  }

  askShutdown(request: ShutdownRequest): boolean {
    return this.#xen?.askShutdown(request) ?? false;
  }

  setMemoryTarget(kib: number): void {
    this.#xen?.setMemoryTarget(kib);
  }

  /** Switches on what lives in this thread: xenstore and the PV devices. After the platform's reset, vCPU 0's part. */
  powerOn(): void {
    if (!this.#thread.lifecycle.awaitPlatform()) {
      throw new VmmError("ACTOR_FAILED", "vCPU 0 did not come to reset the platform");
    }
    this.#xen?.powerOn();
    for (const actor of this.#emulated()) actor.resume();
    this.#thread.lifecycle.devicesReady = true;
    this.#loop.again();
  }

  input(name: StreamName, bytes: Uint8Array): number {
    return this.#streams.get(name)?.input(bytes) ?? bytes.length;
  }

  acknowledge(name: StreamName, count: number): void {
    this.#streams.get(name)?.acknowledge(count);
  }

  async pause(): Promise<void> {
    await Promise.all([...this.#disks, ...this.#nets].map((actor) => actor.quiesce()));
  }

  resume(): void {
    for (const actor of [...this.#disks, ...this.#nets]) actor.resume();
    // The guest's calendar went on meanwhile: an alarm may be due, or due sooner than its deadline says.
    this.#thread.board.rtc.expire(this.#thread.clock.nowNs());
    this.#loop.again();
  }

  async changeMedium(index: number, disk: OpenDisk, force: boolean): Promise<boolean> {
    return (await this.#disks[index]?.changeMedium(disk, force)) ?? false;
  }

  /** Before the disk actors start: theirs will have the file from then on. */
  presetMedium(index: number, disk: OpenDisk): void {
    this.#thread.board.ide.changeMedium(index, disk.bytes, { force: true, swap: () => undefined });
  }

  pressPowerButton(): void {
    this.#thread.board.acpiPm.pressPowerButton();
  }

  sendBreak(name: StreamName): void {
    this.#thread.board.serials[(SERIAL_STREAMS as readonly StreamName[]).indexOf(name)]?.uart.sendBreak();
  }

  drained(): boolean {
    this.#xen?.console.pump();
    const { lifecycle } = this.#thread;
    lifecycle.outputWaits = false;
    for (const stream of this.#streams.values()) stream.pump();
    const idle = [...this.#streams.values()].every((stream) => stream.idle);
    // A last line goes to the log without its newline; whoever asks comes again, and the log is there by then.
    const done = idle && !this.#texts.map((text) => text.finish()).includes(true);
    if (!done) lifecycle.outputWaits = true;
    return done;
  }

  stop(): void {
    for (const stream of this.#streams.values()) {
      stream.pump();
      stream.close();
    }
    for (const actor of [...this.#disks, ...this.#nets]) actor.stop();
    this.#loop.stop();
  }

  async run(): Promise<void> {
    try {
      await this.#loop.run(this);
    } catch (error) {
      for (const stream of this.#streams.values()) stream.close();
      // Nobody else tells them.
      for (const actor of [...this.#disks, ...this.#nets]) actor.stop();
      throw error;
    }
  }

  rung(): void {
    for (const stream of this.#streams.values()) stream.pump();
    this.#pollActors();
    this.trays.poll();
    if (this.#xen?.poll() === true) this.#loop.again();
  }

  guestKicked(): void {
    this.#pollActors();
    if (this.#xen?.poll() === true) this.#loop.again();
    for (const stream of this.#streams.values()) stream.pump();
  }

  beforeSleep(): number {
    const { clock, deadlines } = this.#thread;
    deadlines.awake();
    if (!clock.running) return Infinity;
    deadlines.expire(clock.nowNs(), (index) => {
      this.#expire(index);
    });
    return deadlines.sleepUntil();
  }

  #pollActors(): void {
    for (const net of this.#nets) net.poll(() => undefined);
    for (const disk of this.#disks) {
      disk.poll((event) => {
        this.#xen?.diskEvent(disk.index, event);
      });
    }
  }

  /** Those that a guest reaches by registers: nothing to connect, and so nothing to disconnect. */
  #emulated(): readonly Pick<IoLink, "quiesce" | "resume">[] {
    const disks = this.#disks.filter(({ index }) => this.#thread.config.disks[index]?.attach.kind !== "xen");
    return [...disks, ...this.#nets];
  }

  #expire(index: number): void {
    const { board, clock, config, kicks, xen } = this.#thread;
    if (index < BOARD_DEADLINES) board.expire(index, clock.nowNs());
    else if (index < BOARD_DEADLINES + config.vcpus.count) {
      xen?.domain.timers.expire(vcpuId(index - BOARD_DEADLINES), xen.host.systemTimeNs());
    } else kicks.request(index - BOARD_DEADLINES - config.vcpus.count, VcpuRequest.upcall);
  }

  /** Makes the streams, and the logs of those whose lines go there. */
  #addStreams(): readonly GuestTextLog[] {
    const { board, log, pvConsole, xenConsole } = this.#thread;
    board.serials.forEach((serial, i) => {
      const name = SERIAL_STREAMS[i];
      if (serial === undefined || name === undefined) return;
      const { uart, output, input } = serial;
      this.#add({
        name,
        output,
        input,
        drained: () => {
          uart.transmitted();
        },
        arrived: () => {
          uart.receive();
        },
      });
    });
    const pumpConsole = (): void => {
      this.#xen?.console.pump();
    };
    this.#add({ name: "xen-console", ...pvConsole, drained: pumpConsole, arrived: pumpConsole });
    const debugcon = board.debugPort?.output;
    const logged: readonly { readonly name: StreamName; readonly source: string; readonly output: ByteRing }[] = [
      { name: "xen-log", source: "xen console", output: xenConsole },
      ...(debugcon === undefined ? [] : [{ name: "debugcon" as const, source: "debugcon", output: debugcon }]),
    ];
    return logged.map(({ name, source, output }) => {
      const text = new GuestTextLog(log, source);
      const seen = (bytes: Uint8Array): void => {
        text.write(bytes);
      };
      this.#add({ name, output, input: undefined, drained: () => undefined, arrived: () => undefined, seen });
      return text;
    });
  }

  #add(parts: ConstructorParameters<typeof Stream>[0]): void {
    const post = (stream: StreamName, bytes: Uint8Array): void => {
      this.#thread.post({ kind: "output", stream, bytes });
    };
    this.#streams.set(parts.name, new Stream(parts, post));
  }
}

const SERIAL_STREAMS = ["serial0", "serial1", "serial2", "serial3"] as const;
