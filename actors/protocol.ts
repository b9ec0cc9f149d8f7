/**
 * What actors say to each other: the plain data that a worker starts with, the calls it answers (by Comlink), and the
 * events that it posts on its own.
 */
import type { MessagePort } from "node:worker_threads";
import type { ErrorRecord } from "../shared/errors.js";
import type { ResolvedConfig } from "../shared/config.js";
import type { LogRecord } from "../shared/log.js";
import type { BootRegisters } from "../devices/boot/registers.js";
import type { VcpuRegisters } from "./dump/registers.js";
import type { OpenDisk } from "./host/open-file.js";
import type { CpuidEntry } from "./host/vcpu.js";
import type { StreamName } from "./streams.js";
import type { MachineMemory } from "./machine-memory.js";

/** How the guest's hypercalls and events are carried. */
export type Transport =
  | { readonly kind: "none" }
  /** KVM's own Xen support, with its KVM_CAP_XEN_HVM flags. */
  | { readonly kind: "kernel"; readonly flags: number }
  | { readonly kind: "userspace" };

/** All that a thread needs to build the machine's objects. Made by the machine, the same for every worker. */
export interface MachineParts {
  readonly config: ResolvedConfig;
  readonly memory: MachineMemory;
  readonly vmFd: number;
  /** eventfds of the device actor and of each disk actor, in this order: their doorbells and their guests' kicks. */
  readonly doorbells: readonly number[];
  readonly kicks: readonly number[];
  readonly transport: Transport;
  /** APIC id of each vCPU. */
  readonly apicIds: readonly number[];
  /** Host wall clock minus what the guest's RTC should show, in milliseconds. */
  readonly rtcOffsetMs: number;
}

/** What every worker is started with. */
export interface WorkerInit {
  readonly parts: MachineParts;
  /** Which of its kind: vCPU number, disk index; 0 for the device actor. */
  readonly index: number;
  readonly events: MessagePort;
}

/** A vCPU's worker. */
export interface VcpuWorkerInit extends WorkerInit {
  readonly vcpuFd: number;
  readonly cpuid: readonly CpuidEntry[];
}

/** The device actor's: one end of a channel to each disk actor. */
export interface DeviceWorkerInit extends WorkerInit {
  readonly disks: readonly { readonly control: MessagePort; readonly disk: OpenDisk }[];
}

/** A disk actor's. */
export interface DiskWorkerInit extends WorkerInit {
  readonly control: MessagePort;
  readonly disk: OpenDisk;
}

/** The first message to a worker: what it is to be. */
export type ActorStart =
  | { readonly kind: "vcpu"; readonly init: VcpuWorkerInit }
  | { readonly kind: "device"; readonly init: DeviceWorkerInit }
  | { readonly kind: "disk"; readonly init: DiskWorkerInit };

/** Posted by any worker, at any time, without an answer. */
export type ActorEvent =
  | { readonly kind: "log"; readonly record: LogRecord }
  /** Device actor: bytes of an output stream; answered by `acknowledge`. */
  | { readonly kind: "output"; readonly stream: StreamName; readonly bytes: Uint8Array };

/** Why a vCPU's thread is back in its event loop. */
export type VcpuOutcome =
  /** Asked to: the lifecycle says why. */
  | { readonly kind: "stopped" }
  /** The guest cannot go on; the report is for people. */
  | { readonly kind: "crashed"; readonly report: string }
  | { readonly kind: "failed"; readonly error: ErrorRecord };

/** Answered by a vCPU's worker while it does not run the guest. */
export interface VcpuApi {
  /**
   * Power-on state; `registers` for the boot processor of a direct boot, undefined for one that waits for INIT. vCPU 0
   * resets the whole platform, and is asked first.
   */
  reset(registers: BootRegisters | undefined): void;
  /** Runs the guest until it stops. */
  run(): VcpuOutcome;
  /** A readable dump of the registers. */
  report(): string;
  /** The registers, for a memory dump. */
  registers(): VcpuRegisters;
  /** Ends the thread; there is no answer. */
  stop(): void;
}

/** Answered by the device actor. */
export interface DeviceApi {
  /** Opens the host's ends of the streams: files, sockets, ptys. */
  setUp(): DeviceSetup;
  /** Answered when the sockets that hold the machine's start (`wait`) have a client each. */
  connected(): Promise<void>;
  /** Lets go of the guest's rings, for a reset. With vCPUs at rest. */
  release(): Promise<void>;
  /** Switches xenstore and the PV devices on. After vCPU 0's reset. */
  powerOn(): void;
  /** Bytes for a stream's input; answers how many were taken. */
  input(stream: StreamName, bytes: Uint8Array): number;
  /** The embedding program has handled `bytes` of a stream's output. */
  acknowledge(stream: StreamName, bytes: number): void;
  /** The machine runs again after start or pause. */
  resume(): void;
  /** Disks finish what they do and take nothing new. */
  pause(): Promise<void>;
  pressPowerButton(): void;
  /** True when nothing that the guest wrote is left here. */
  drained(): boolean;
  /** Closes everything and leaves the loop. */
  stop(): void;
}

export interface DeviceSetup {
  /** What a person wants to know: the path of a pty, for one, by stream. */
  readonly places: Readonly<Record<string, string>>;
}
