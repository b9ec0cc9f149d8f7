/**
 * What every worker of a machine has: the machine's objects over the shared memory, and the thread's own way to the host.
 *
 * The order of construction is the layout of the shared state: it must be the same in every thread.
 */
import type { MessagePort } from "node:worker_threads";
import type { SharedArena } from "../shared/arena.js";
import type { EvtchnPort, VcpuId } from "../shared/brand.js";
import { ByteRing } from "../shared/byte-ring.js";
import { Lock } from "../shared/lock.js";
import { logTo } from "../shared/log.js";
import type { Log } from "../shared/log.js";
import type { GuestMemory } from "../shared/memory.js";
import { Shutdown } from "../xen/abi/sched.js";
import { BackendOwner, netOwner, VcpuRequest } from "../xen/host.js";
import { Overlays } from "../xen/overlays.js";
import { shutDown } from "../xen/shutdown.js";
import { XenDomain } from "../xen/xen-domain.js";
import type { ResolvedConfig } from "../shared/config.js";
import { Board } from "./board.js";
import type { BoardHost } from "./board.js";
import { CallbackLine } from "./callback-line.js";
import { deadlineCount, Deadlines } from "./deadlines.js";
import type { KvmRun } from "./host/exit.js";
import type { Doorbell } from "./host/eventfd.js";
import { openLibc } from "./host/libc.js";
import { perturbedLibc } from "./host/perturbation.js";
import type { Libc } from "./host/libc.js";
import { Vm } from "./host/kvm.js";
import type { Scratch } from "./host/kvm.js";
import type { Kicks } from "./kicks.js";
import type { Lifecycle } from "./lifecycle.js";
import type { MachineClock } from "./machine-clock.js";
import { MachineControl } from "./machine-control.js";
import { scratchOf } from "./machine-memory.js";
import type { MachineMemory } from "./machine-memory.js";
import { guestMemory, offersFifo, processorMemory, shadowBytes, xenConfig } from "./guest-layout.js";
import { IoapicRoutes } from "./ioapic-routes.js";
import { withoutPollers } from "./kernel-polls.js";
import { NotifyWatch } from "./notify-watch.js";
import { PciMessages } from "./pci-messages.js";
import type { ActorEvent, MachineParts, WorkerInit } from "./protocol.js";
import type { ReadyDisks } from "./ready-disks.js";
import { ShadowSlots } from "./shadow-slots.js";
import { trace, traceTo } from "./trace.js";
import { unplug } from "./unplug.js";
import { wallClockMs } from "./wall-clock.js";
import { XenHostOfThread } from "./xen-host.js";

/** Bytes of Xen's own console that may wait for the device actor. */
const XEN_CONSOLE_BYTES = 64 * 1024;
/** PV console rings between guest and the outside. */
const PV_CONSOLE_BYTES = 16 * 1024;
/** In the place of the vCPU that ended the run, where a chip did. */
const NO_VCPU = -1 as VcpuId;

export interface XenParts {
  readonly domain: XenDomain;
  readonly host: XenHostOfThread;
}

export class MachineThread {
  readonly parts: MachineParts;
  readonly config: ResolvedConfig;
  readonly libc: Libc;
  readonly scratch: Scratch;
  readonly vm: Vm;
  /** What devices and hypercalls reach. */
  readonly memory: GuestMemory;
  /** What processors reach: ROM, too. */
  readonly processorMemory: GuestMemory;
  readonly clock: MachineClock;
  readonly lifecycle: Lifecycle;
  readonly kicks: Kicks;
  readonly runs: readonly KvmRun[];
  readonly deadlines: Deadlines;
  /** The device actor's bell and those of the disk actors, in the order of `parts.doorbells`. */
  readonly doorbells: readonly Doorbell[];
  /** Set by a guest's event to a back end, as KVM's own eventfds do: same order. */
  readonly guestKicks: readonly Doorbell[];
  readonly messages: PciMessages;
  readonly board: Board;
  readonly callback: CallbackLine;
  /** Who holds it carries out the guest's coalesced writes. Before any chip's. */
  readonly coalescedLock: Lock;
  readonly xen: XenParts | undefined;
  /** Output of Xen's own console: hypercall and log port. */
  readonly xenConsole: ByteRing;
  readonly pvConsole: { readonly output: ByteRing; readonly input: ByteRing };
  readonly log: Log;
  /** On a vCPU's thread: disks whose jobs it looks at before their actors are told. */
  readyDisks: ReadyDisks | undefined = undefined;
  readonly #events: MessagePort;
  readonly #stopTracing: () => void;
  readonly #notifyWatch: NotifyWatch;
  readonly #textLock: Lock;

  constructor(init: WorkerInit, component: string, slot: number) {
    const { parts } = init;
    const { config, memory } = parts;
    this.parts = parts;
    this.config = config;
    this.#events = init.events;
    this.log = logTo(component, (record) => {
      this.post({ kind: "log", record });
    });
    this.libc = perturbedLibc(openLibc(component), component);
    this.scratch = scratchOf(memory, slot);
    this.vm = new Vm(this.libc, parts.vmFd, this.scratch);

    const control = new MachineControl(parts, this.libc, this.scratch);
    this.clock = control.clock;
    this.lifecycle = control.lifecycle;
    this.runs = control.runs;
    this.kicks = control.kicks;
    this.doorbells = control.doorbells;
    this.guestKicks = control.guestKicks;
    const { arena, clock, traceFlow } = control;
    this.#stopTracing = traceTo(config.trace, {
      component,
      nowNs: () => clock.nowNs(),
      write: (record) => {
        traceFlow.send();
        this.post({ kind: "log", record });
      },
    });
    this.deadlines = new Deadlines(arena, deadlineCount(config.vcpus.count), () => {
      this.doorbells[0]?.ring();
    });
    this.#textLock = new Lock(arena.int32(1));
    this.coalescedLock = new Lock(arena.int32(1));
    this.xenConsole = new ByteRing(arena, XEN_CONSOLE_BYTES);
    this.pvConsole = {
      output: new ByteRing(arena, PV_CONSOLE_BYTES),
      input: new ByteRing(arena, PV_CONSOLE_BYTES),
    };
    const overlays = xenOverlays(arena, memory, config);
    this.memory = guestMemory(memory, config, overlays);
    const routes = new IoapicRoutes(arena, this.vm);
    this.#notifyWatch = new NotifyWatch(arena, {
      watchWrites: (address, fd, watch) => withoutPollers(this, () => this.vm.watchWrites(address, fd, watch)),
    });
    this.messages = new PciMessages({
      signalApic: (address, data) => this.#signalApic(address, 0, data),
      raisePirq: (pirq) => this.xen?.domain.pirqs.raiseMessage(pirq) ?? false,
      isPirqBound: (pirq) => this.xen?.domain.pirqs.isMessageBound(pirq) ?? false,
      memory: () => this.memory,
    });
    this.board = new Board(arena, config, this.#boardHost(parts, routes));
    routes.connect(this.board.ioapic);
    const { nics, virtioDisks } = this.board;
    const owned = [
      ...virtioDisks.map((disk, index) => ({ pci: disk?.pci, owner: BackendOwner.disk0 + index })),
      ...nics.map(({ pci }, index) => ({ pci, owner: netOwner(config.disks.length, index) })),
    ];
    this.#notifyWatch.connect(
      this.board.bridge,
      owned.flatMap(({ pci, owner }) => {
        const fd = parts.kicks[owner];
        return pci === undefined || fd === undefined ? [] : [{ pci, fd }];
      }),
    );
    this.processorMemory = processorMemory(memory, this.memory, (segment) => this.board.i440fx.pam(segment));
    this.callback = new CallbackLine(arena, this.board.callbackLine);
    if (overlays !== undefined) {
      const host: XenHostOfThread = new XenHostOfThread(this);
      const domain = new XenDomain({
        arena,
        memory: this.memory,
        overlays,
        host,
        config: xenConfig(config, offersFifo(config, parts.transport)),
        trace: trace.hypercall,
      });
      this.xen = { domain, host };
    }
  }

  post(event: ActorEvent): void {
    this.#events.postMessage(event);
  }

  /** The actor's work is over; its thread may be an actor of another machine next. */
  leave(): void {
    this.#stopTracing();
    this.#events.close();
  }

  /** Power-on state of all that lives in shared memory. One thread, with all others at rest. */
  resetPlatform(): void {
    try {
      this.deadlines.reset();
      this.callback.reset();
      this.board.reset();
      this.xen?.domain.reset();
    } finally {
      // When it failed the machine ends: nobody is to wait for it.
      this.lifecycle.setPlatformReady();
    }
  }

  /** Time of day as the guest should see it, in milliseconds since 1970. */
  wallClockMs(): number {
    return wallClockMs(this.config.rtc, this.parts.rtcOffsetMs, this.clock);
  }

  /** Ends the guest's run for a reason that the machine acts on, or for one that a Xen guest has latched. */
  end(reason: "poweroff" | "reset" | "debug-exit", detail = 0): void {
    if (this.xen !== undefined && reason !== "debug-exit") {
      shutDown(this.xen.domain, NO_VCPU, reason === "reset" ? Shutdown.reboot : Shutdown.poweroff);
      return;
    }
    this.lifecycle.end(reason, NO_VCPU, detail);
    this.kicks.requestAll(VcpuRequest.control);
  }

  /** A back end of ours raises `port` in the guest. */
  notifyGuest(port: EvtchnPort): void {
    const events = this.xen?.domain.events;
    if (events === undefined) return;
    if (trace.evtchn.hasSubscribers) trace.evtchn.publish({ port, to: "guest", target: events.vcpuOf(port) });
    events.notifyGuest(port);
  }

  /** As KVM does where it watches for the guest's kick itself: the actor need not look for messages. */
  kickDisk(index: number): void {
    this.guestKicks[BackendOwner.disk0 + index]?.ring();
  }

  /** A guest that writes faster than anybody reads loses what does not fit. */
  xenConsoleWrite(data: Uint8Array): void {
    this.#textLock.acquire();
    try {
      for (const byte of data) if (!this.xenConsole.push(byte)) break;
    } finally {
      this.#textLock.release();
    }
    this.lifecycle.outputWaits = true;
    this.doorbells[0]?.ring();
  }

  /** True when a local APIC took it. */
  #signalApic(low: number, high: number, data: number): boolean {
    if (trace.interrupt.hasSubscribers) {
      trace.interrupt.publish({ vector: data & 0xff, target: (low >>> 12) & 0xff, by: "msi" });
    }
    return this.vm.signalMsi(low, high, data);
  }

  #boardHost(parts: MachineParts, routes: IoapicRoutes): BoardHost {
    const shadow = new ShadowSlots(this.vm, parts.memory);
    return {
      log: this.log,
      shadow: shadowBytes(parts.memory),
      pamChanged: (changes) => {
        if (parts.memory.rom === undefined) return;
        this.kicks.whileHeld(() => {
          shadow.apply(changes);
        });
      },
      nowNs: () => this.clock.nowNs(),
      wallClock: () => this.wallClockMs(),
      arm: (deadline, ns) => {
        this.deadlines.arm(deadline, ns);
      },
      signal: (address, data) => this.#signalApic(address % 0x1_0000_0000, Math.floor(address / 0x1_0000_0000), data),
      memory: this.memory,
      messages: this.messages,
      diskSectors: parts.diskSectors,
      decodesChanged: () => {
        this.#notifyWatch.update();
      },
      kickDisk: (index) => {
        if (this.readyDisks?.kicked(index) !== true) this.kickDisk(index);
      },
      trayMoved: () => {
        this.doorbells[0]?.ring();
      },
      kickNet: (index) => {
        this.guestKicks[netOwner(parts.config.disks.length, index)]?.ring();
      },
      intr: (level) => {
        if (level === 1) this.kicks.request(0, VcpuRequest.extInt);
      },
      routesChanged: () => {
        routes.update();
      },
      gsiTaken: (gsi, level) => this.xen?.domain.pirqs.gsiRaised(gsi, level) ?? false,
      serial: () => {
        this.lifecycle.outputWaits = true;
        this.doorbells[0]?.ring();
      },
      resetMachine: () => {
        this.end("reset");
      },
      powerOff: () => {
        this.end("poweroff");
      },
      debugExit: (code) => {
        this.end("debug-exit", code);
      },
      unplug: (mask) => {
        unplug(
          { board: this.board, log: this.log, nowMs: () => performance.now(), stopping: () => this.lifecycle.stopping },
          mask,
        );
      },
      xenLine: (text) => {
        this.xenConsoleWrite(Uint8Array.from(`${text}\n`, (character) => character.charCodeAt(0)));
      },
    };
  }
}

function xenOverlays(arena: SharedArena, memory: MachineMemory, config: ResolvedConfig): Overlays | undefined {
  if (config.accel.xenVersion === 0) return undefined;
  const { overlays, overlayPages } = memory.layout;
  return new Overlays({ arena, buffer: memory.control.buffer, start: overlays, pages: overlayPages });
}
