/**
 * What every worker of a machine has: the machine's objects over the shared memory, and the thread's own way to the host.
 *
 * The order of construction is the layout of the shared state: it must be the same in every thread.
 */
import type { MessagePort } from "node:worker_threads";
import type { SharedArena } from "../shared/arena.js";
import type { EvtchnPort } from "../shared/brand.js";
import { ByteRing } from "../shared/byte-ring.js";
import { Lock } from "../shared/lock.js";
import { logTo, LogLimiter, printable } from "../shared/log.js";
import type { Log } from "../shared/log.js";
import type { GuestMemory } from "../shared/memory.js";
import { VcpuRequest } from "../xen/host.js";
import { Overlays } from "../xen/overlays.js";
import { XenDomain } from "../xen/xen-domain.js";
import type { ResolvedConfig } from "../shared/config.js";
import { Board } from "./board.js";
import type { BoardHost } from "./board.js";
import { CallbackLine } from "./callback-line.js";
import { deadlineCount, Deadlines } from "./deadlines.js";
import type { KvmRun } from "./host/exit.js";
import type { Doorbell } from "./host/eventfd.js";
import { openLibc } from "./host/libc.js";
import type { Libc } from "./host/libc.js";
import { Vm } from "./host/kvm.js";
import type { Scratch } from "./host/kvm.js";
import type { Kicks } from "./kicks.js";
import type { Lifecycle } from "./lifecycle.js";
import type { MachineClock } from "./machine-clock.js";
import { MachineControl } from "./machine-control.js";
import { scratchOf } from "./machine-memory.js";
import type { MachineMemory } from "./machine-memory.js";
import { guestMemory, xenConfig } from "./guest-layout.js";
import { IoapicRoutes } from "./ioapic-routes.js";
import type { ActorEvent, MachineParts, WorkerInit } from "./protocol.js";
import { trace, traceTo } from "./trace.js";
import { XenHostOfThread } from "./xen-host.js";

/** Bytes of Xen's own console that may wait for the device actor. */
const XEN_CONSOLE_BYTES = 64 * 1024;
const DEBUGCON_BYTES = 16 * 1024;
/** PV console rings between guest and the outside. */
const PV_CONSOLE_BYTES = 16 * 1024;
const GUEST_LINES_LOGGED = 1000;

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
  readonly memory: GuestMemory;
  readonly clock: MachineClock;
  readonly lifecycle: Lifecycle;
  readonly kicks: Kicks;
  readonly runs: readonly KvmRun[];
  readonly deadlines: Deadlines;
  /** The device actor's bell and those of the disk actors, in the order of `parts.doorbells`. */
  readonly doorbells: readonly Doorbell[];
  /** Set by a guest's event to a back end, as KVM's own eventfds do: same order. */
  readonly guestKicks: readonly Doorbell[];
  readonly board: Board;
  readonly callback: CallbackLine;
  readonly xen: XenParts | undefined;
  /** Output of Xen's own console: hypercall and log port. */
  readonly xenConsole: ByteRing;
  /** Output of the debug port. */
  readonly debugcon: ByteRing;
  readonly pvConsole: { readonly output: ByteRing; readonly input: ByteRing };
  readonly log: Log;
  readonly #events: MessagePort;
  readonly #textLock: Lock;
  readonly #guestLines = new LogLimiter(GUEST_LINES_LOGGED);

  constructor(init: WorkerInit, component: string, slot: number) {
    const { parts } = init;
    const { config, memory } = parts;
    this.parts = parts;
    this.config = config;
    this.#events = init.events;
    this.log = logTo(component, (record) => {
      this.post({ kind: "log", record });
    });
    this.libc = openLibc();
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
    traceTo(config.trace, {
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
    this.xenConsole = new ByteRing(arena, XEN_CONSOLE_BYTES);
    this.debugcon = new ByteRing(arena, DEBUGCON_BYTES);
    this.pvConsole = {
      output: new ByteRing(arena, PV_CONSOLE_BYTES),
      input: new ByteRing(arena, PV_CONSOLE_BYTES),
    };
    const overlays = xenOverlays(arena, memory, config);
    this.memory = guestMemory(memory, config, overlays);
    const routes = new IoapicRoutes(arena, this.vm);
    this.board = new Board(arena, config, this.#boardHost(parts, routes));
    routes.connect(this.board.ioapic);
    this.callback = new CallbackLine(arena, this.board.callbackLine);
    if (overlays !== undefined) {
      const host: XenHostOfThread = new XenHostOfThread(this);
      const domain = new XenDomain({
        arena,
        memory: this.memory,
        overlays,
        host,
        config: xenConfig(config),
        trace: trace.hypercall,
      });
      this.xen = { domain, host };
    }
  }

  post(event: ActorEvent): void {
    this.#events.postMessage(event);
  }

  /** Power-on state of all that lives in shared memory. One thread, with all others at rest. */
  resetPlatform(): void {
    this.deadlines.reset();
    this.callback.reset();
    this.board.reset();
    this.xen?.domain.reset();
  }

  /** Host wall clock as the guest should see it, in milliseconds since 1970. */
  wallClockMs(): number {
    return Date.now() - this.parts.rtcOffsetMs;
  }

  /** Ends the guest's run for a reason that the machine acts on. */
  end(reason: "poweroff" | "reset" | "debug-exit", detail = 0): void {
    this.lifecycle.end(reason, -1, detail);
    this.kicks.requestAll(VcpuRequest.control);
  }

  /** A back end of ours raises `port` in the guest. */
  notifyGuest(port: EvtchnPort): void {
    const events = this.xen?.domain.events;
    if (events === undefined) return;
    if (trace.evtchn.hasSubscribers) trace.evtchn.publish({ port, to: "guest", target: events.vcpuOf(port) });
    events.notifyGuest(port);
  }

  xenConsoleWrite(data: Uint8Array): void {
    this.#write(this.xenConsole, data);
  }

  /** A guest that writes faster than anybody reads loses what does not fit. */
  #write(ring: ByteRing, data: Uint8Array): void {
    this.#textLock.acquire();
    try {
      for (const byte of data) if (!ring.push(byte)) break;
    } finally {
      this.#textLock.release();
    }
    this.lifecycle.outputWaits = true;
    this.doorbells[0]?.ring();
  }

  #boardHost(parts: MachineParts, routes: IoapicRoutes): BoardHost {
    return {
      log: this.log,
      nowNs: () => this.clock.nowNs(),
      wallClock: () => this.wallClockMs(),
      arm: (deadline, ns) => {
        this.deadlines.arm(deadline, ns);
      },
      signal: (address, data) => {
        const low = address % 0x1_0000_0000;
        if (trace.interrupt.hasSubscribers) {
          trace.interrupt.publish({ vector: data & 0xff, target: (low >>> 12) & 0xff, by: "msi" });
        }
        return this.vm.signalMsi(low, Math.floor(address / 0x1_0000_0000), data) > 0;
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
        // A direct boot has nothing emulated to unplug: the protocol is answered, and the request is on record.
        this.log.info("guest unplugs emulated devices", { mask, disks: parts.config.disks.length });
      },
      guestLine: (source, text) => {
        if (this.#guestLines.allow(source)) this.log.info(`${source}: ${printable(text)}`);
        const bytes = new TextEncoder().encode(`${text}\n`);
        if (source === "xen-platform") this.xenConsoleWrite(bytes);
        else this.#write(this.debugcon, bytes);
      },
    };
  }
}

function xenOverlays(arena: SharedArena, memory: MachineMemory, config: ResolvedConfig): Overlays | undefined {
  if (config.accel.xenVersion === 0) return undefined;
  const { overlays, overlayPages } = memory.layout;
  return new Overlays({ arena, buffer: memory.control.buffer, start: overlays, pages: overlayPages });
}
