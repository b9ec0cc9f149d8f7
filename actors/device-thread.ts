/**
 * The device actor: xenstore, the PV devices' control sides, the consoles, and everything that happens at a time.
 *
 * It waits in one blocking call (actor-loop.ts). Other threads ring its doorbell after they have put something where it
 * looks: a byte in an output ring, an earlier deadline, a call in its mailbox.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { BackendOwner, VcpuRequest } from "../xen/host.js";
import type { MemoryRegion } from "../shared/memory.js";
import { CONSOLE_GFN, XEN_SPECIAL_BASE, XENSTORE_GFN } from "../shared/layout.js";
import { gfnToGpa, PAGE_SIZE, vcpuId } from "../shared/brand.js";
import { VmmError } from "../shared/errors.js";
import { ConsoleRing } from "../devices/xen-console/console-ring.js";
import { GuestStoreRing } from "../xen/xenstore/guest-ring.js";
import { XenStore } from "../xen/xenstore/store.js";
import { writeDomainNodes } from "../xen/xenstore/domain-nodes.js";
import { ActorLoop } from "./actor-loop.js";
import type { ActorWork } from "./actor-loop.js";
import { BOARD_DEADLINES } from "./deadlines.js";
import { DiskControl } from "./disk-control.js";
import type { DiskEvent } from "./disk-protocol.js";
import type { DeviceSetup, DeviceWorkerInit } from "./protocol.js";
import { Stream } from "./streams.js";
import type { StreamName } from "./streams.js";
import type { MachineThread, XenParts } from "./thread.js";
import { storeTrace } from "./trace.js";
import { XenConsoleLog } from "./xen-console-log.js";

/** Bytes of PV console output that xenconsoled would keep; we keep what fits in the rings. */
const CONSOLE_LIMIT = 16 * 1024;
const KIB = 1024;

export class DeviceThread implements ActorWork {
  readonly #thread: MachineThread;
  readonly #loop: ActorLoop;
  readonly #streams = new Map<StreamName, Stream>();
  readonly #xen: XenSide | undefined;
  readonly #xenLog: XenConsoleLog;
  /** Of the sockets that hold the machine's start until somebody connects. */
  readonly #awaited: Promise<void>[] = [];

  constructor(thread: MachineThread, init: DeviceWorkerInit) {
    this.#thread = thread;
    this.#loop = new ActorLoop(thread, BackendOwner.device);
    this.#xenLog = new XenConsoleLog(thread.log);
    this.#addStreams();
    this.#xen = thread.xen === undefined ? undefined : new XenSide(thread, thread.xen, init);
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
  async release(): Promise<void> {
    await this.#xen?.release();
  }

  /** Switches on what lives in this thread: xenstore and the PV devices. After the platform's reset, vCPU 0's part. */
  powerOn(): void {
    this.#xen?.powerOn();
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
    await this.#xen?.quiesceDisks();
  }

  resume(): void {
    this.#xen?.resumeDisks();
    this.#loop.again();
  }

  pressPowerButton(): void {
    this.#thread.board.acpiPm.pressPowerButton();
  }

  drained(): boolean {
    this.#xen?.console.pump();
    const { lifecycle } = this.#thread;
    lifecycle.outputWaits = false;
    for (const stream of this.#streams.values()) stream.pump();
    const idle = [...this.#streams.values()].every((stream) => stream.idle);
    if (!idle) lifecycle.outputWaits = true;
    return idle;
  }

  stop(): void {
    for (const stream of this.#streams.values()) {
      stream.pump();
      stream.close();
    }
    this.#xen?.stopDisks();
    this.#loop.stop();
  }

  async run(): Promise<void> {
    try {
      await this.#loop.run(this);
    } catch (error) {
      for (const stream of this.#streams.values()) stream.close();
      throw error;
    }
  }

  rung(): void {
    for (const stream of this.#streams.values()) stream.pump();
    this.#xen?.poll();
  }

  guestKicked(): void {
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

  #expire(index: number): void {
    const { board, clock, config, kicks, xen } = this.#thread;
    if (index < BOARD_DEADLINES) board.expire(index, clock.nowNs());
    else if (index < BOARD_DEADLINES + config.vcpus.count) {
      xen?.domain.timers.expire(vcpuId(index - BOARD_DEADLINES), xen.host.systemTimeNs());
    } else kicks.request(index - BOARD_DEADLINES - config.vcpus.count, VcpuRequest.upcall);
  }

  #addStreams(): void {
    const { board, debugcon, pvConsole, xenConsole } = this.#thread;
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
    const quiet = { input: undefined, drained: () => undefined, arrived: () => undefined };
    this.#add({ name: "xen-log", output: xenConsole, ...quiet });
    this.#add({ name: "debugcon", output: debugcon, ...quiet });
  }

  #add(parts: ConstructorParameters<typeof Stream>[0]): void {
    const post = (stream: StreamName, bytes: Uint8Array): void => {
      if (stream === "xen-log") this.#xenLog.write(bytes);
      this.#thread.post({ kind: "output", stream, bytes });
    };
    this.#streams.set(parts.name, new Stream(parts, post));
  }
}

const SERIAL_STREAMS = ["serial0", "serial1", "serial2", "serial3"] as const;

/** The Xen half of the device actor. */
class XenSide {
  readonly console: ConsoleRing;
  readonly #thread: MachineThread;
  readonly #parts: XenParts;
  readonly #store = new XenStore(storeTrace());
  readonly #ring: GuestStoreRing;
  readonly #consolePage: MemoryRegion;
  readonly #disks: readonly DiskControl[];
  readonly #ports: readonly MessagePort[];

  constructor(thread: MachineThread, parts: XenParts, init: DeviceWorkerInit) {
    this.#thread = thread;
    this.#parts = parts;
    const { domain } = parts;
    const page = specialPage(thread, gfnToGpa(XENSTORE_GFN));
    this.#consolePage = specialPage(thread, gfnToGpa(CONSOLE_GFN));
    const at = gfnToGpa(XENSTORE_GFN) - XEN_SPECIAL_BASE;
    this.#ring = new GuestStoreRing(page.bytes.subarray(at, at + PAGE_SIZE), this.#store, thread.config.xenDomid, {
      log: thread.log,
      notify: () => {
        thread.notifyGuest(domain.storePort);
      },
    });
    this.console = new ConsoleRing({
      ...thread.pvConsole,
      notify: () => {
        thread.notifyGuest(domain.consolePort);
      },
      log: thread.log,
    });
    const client = this.#store.client();
    this.#ports = init.disks.map(({ control }) => control);
    this.#disks = init.disks.map(
      ({ control, disk }, index) => new DiskControl({ thread, domain, store: client, control, disk, index }),
    );
  }

  powerOn(): void {
    const { config } = this.#thread;
    const { domain } = this.#parts;
    this.#store.reset();
    this.#ring.reset();
    this.console.detach();
    this.#consolePage.bytes.fill(0, 0, PAGE_SIZE);
    this.console.attach(this.#consolePage, gfnToGpa(CONSOLE_GFN) - XEN_SPECIAL_BASE);
    writeDomainNodes(this.#store.client(), {
      domid: config.xenDomid,
      name: config.name,
      uuid: config.uuid,
      vcpus: config.vcpus.maxCpus,
      onlineVcpus: config.vcpus.count,
      memoryKiB: config.memoryBytes / KIB,
      videoRamKiB: 0,
      store: { frame: XENSTORE_GFN, port: domain.storePort },
      console: { frame: CONSOLE_GFN, port: domain.consolePort, limit: CONSOLE_LIMIT, output: config.xenConsole.kind },
      features: ["poweroff", "reboot"],
    });
    this.#store.introduce(config.xenDomid);
    for (const disk of this.#disks) disk.start();
    this.#store.dispatch();
  }

  /** Serves what the guest and the disk actors have for us; true when there is more. */
  poll(): boolean {
    this.#ports.forEach((port, i) => {
      for (let message = receiveMessageOnPort(port); message !== undefined; message = receiveMessageOnPort(port)) {
        this.#disks[i]?.handle(message.message as DiskEvent);
      }
    });
    this.console.pump();
    const more = this.#ring.process();
    this.#store.dispatch();
    return more;
  }

  /** Gives the guest's rings back: after it the guest's memory is nobody's. */
  async release(): Promise<void> {
    await Promise.all(this.#disks.map((disk) => disk.release()));
    // What lies under the guest's overlay pages comes back now, before the next kernel is put there.
    this.#parts.domain.reset();
  }

  async quiesceDisks(): Promise<void> {
    await Promise.all(this.#disks.map((disk) => disk.quiesce()));
  }

  resumeDisks(): void {
    for (const disk of this.#disks) disk.resume();
  }

  stopDisks(): void {
    for (const disk of this.#disks) disk.stop();
  }
}

function specialPage(thread: MachineThread, at: number): MemoryRegion {
  const region = thread.memory.region(at, PAGE_SIZE);
  if (region === undefined) throw new VmmError("STATE", "Xen's special pages are not part of the guest's memory");
  return region;
}
