/**
 * What actors say to each other: the plain data that a worker starts with, the calls it answers (by Comlink), and the
 * events that it posts on its own.
 */
import type { MessagePort } from "node:worker_threads";
import type { ErrorRecord } from "../shared/errors.js";
import type { ResolvedConfig } from "../shared/config.js";
import type { PciFunctionReport } from "../devices/pci/inventory.js";
import type { LogRecord } from "../shared/log.js";
import type { PortStatus } from "../xen/port-list.js";
import type { BootRegisters } from "../devices/boot/registers.js";
import type { VcpuRegisters } from "./dump/registers.js";
import type { OpenDisk } from "./host/open-file.js";
import type { OpenNet } from "./host/open-net.js";
import type { CpuidEntry } from "./host/vcpu.js";
import type { StreamName } from "./streams.js";
import type { MachineMemory } from "./machine-memory.js";
import type { TrayStatus } from "./media.js";

/** How the guest's hypercalls and events are carried. */
export type Transport =
  | { readonly kind: "none" }
  /** KVM's own Xen support, with those of its KVM_CAP_XEN_HVM flags that the machine uses. */
  | { readonly kind: "kernel"; readonly flags: number }
  | { readonly kind: "userspace" };

/** All that a thread needs to build the machine's objects. Made by the machine, the same for every worker. */
export interface MachineParts {
  readonly config: ResolvedConfig;
  readonly memory: MachineMemory;
  readonly vmFd: number;
  /** eventfds of the device actor, of each disk actor and of each network card's, in this order: their doorbells and their guests' kicks. */
  readonly doorbells: readonly number[];
  readonly kicks: readonly number[];
  /** Size of each disk when it was opened, in 512-byte sectors; 0 for a drive without a disc. */
  readonly diskSectors: readonly number[];
  readonly transport: Transport;
  /** APIC id of each vCPU. */
  readonly apicIds: readonly number[];
  /** Where the ring of coalesced writes lies in each vCPU's run area, in bytes; 0 where no writes are kept. */
  readonly coalescedAt: number;
  /** The clock that the guest's follows minus what the guest's should show, in milliseconds. */
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
  /** Its end of the channel for calls: {@link VcpuApi}. */
  readonly calls: MessagePort;
  readonly vcpuFd: number;
  /** What is behind each disk of the configuration, for reads that need no actor. */
  readonly disks: readonly OpenDisk[];
  readonly cpuid: readonly CpuidEntry[];
}

/** The device actor's: one end of a channel to each I/O actor. */
export interface DeviceWorkerInit extends WorkerInit {
  /** Its end of the channel for calls: {@link DeviceApi}. */
  readonly calls: MessagePort;
  readonly disks: readonly { readonly control: MessagePort; readonly disk: OpenDisk }[];
  readonly nets: readonly MessagePort[];
}

/** A disk actor's. */
export interface DiskWorkerInit extends WorkerInit {
  readonly control: MessagePort;
  readonly disk: OpenDisk;
}

/** A network card's. */
export interface NetWorkerInit extends WorkerInit {
  readonly control: MessagePort;
  readonly net: OpenNet;
}

/** What a worker is to be, and what it is told. */
export type ActorStart =
  | { readonly kind: "vcpu"; readonly init: VcpuWorkerInit }
  | { readonly kind: "device"; readonly init: DeviceWorkerInit }
  | { readonly kind: "disk"; readonly init: DiskWorkerInit }
  | { readonly kind: "net"; readonly init: NetWorkerInit };

/** Posted by any worker, at any time, without an answer. */
export type ActorEvent =
  | { readonly kind: "log"; readonly record: LogRecord }
  /** Device actor: the guest connects to the PV disk that is disk `disk`, whose actor has not been started. */
  | { readonly kind: "disk-wanted"; readonly disk: number }
  /** Device actor: bytes of an output stream; answered by `acknowledge`. */
  | { readonly kind: "output"; readonly stream: StreamName; readonly bytes: Uint8Array }
  /** Device actor: the guest has opened or closed the tray of the CD drive that is disk `disk`; answered by `trayHeard`. */
  | { readonly kind: "tray"; readonly disk: number; readonly open: boolean };

/** Why a vCPU's thread is back in its event loop. */
export type VcpuOutcome =
  /** Asked to: the lifecycle says why. */
  | { readonly kind: "stopped" }
  /** The guest cannot go on; the report is for people. */
  | { readonly kind: "crashed"; readonly report: string }
  /** The guest shut its processor down, which resets a PC; the report is for people. */
  | { readonly kind: "triple-fault"; readonly report: string }
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
  /** Of a machine's only vCPU, for its first start: `reset`, then machine time begins, then `run`. */
  begin(registers: BootRegisters | undefined): VcpuOutcome;
  /** A readable dump of the registers. */
  report(): string;
  /** The registers, for a memory dump. */
  registers(): VcpuRegisters;
  /** The guest set up nothing with Xen yet, as after power-on; all else stays. After the domain's soft reset. */
  softReset(): void;
  /** Changes the result of the hypercall that this vCPU came to rest in. */
  answerHypercall(result: number): void;
  /** Ends the actor; there is no answer. */
  stop(): void;
}

/** Answered by the device actor. */
export interface DeviceApi {
  /** Opens the host's ends of the streams: files, sockets, ptys. */
  setUp(): DeviceSetup;
  /** Answered when the sockets that hold the machine's start (`wait`) have a client each. */
  connected(): Promise<void>;
  /** Lets go of the guest's rings, for a reset; "soft" when the guest's memory stays. With vCPUs at rest. */
  release(reset: "full" | "soft"): Promise<void>;
  /** Asks the guest, through xenstore, to end or suspend itself. False when its kernel has not said that it can. */
  askShutdown(request: ShutdownRequest): boolean;
  /** Tells the guest's balloon driver how much memory to keep, in KiB. */
  setMemoryTarget(kib: number): void;
  /** Switches xenstore and the PV devices on. At a machine's first start it waits for vCPU 0's reset; later comes after it. */
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
  /** The line of a serial port goes to break; nothing on other streams. */
  sendBreak(stream: StreamName): void;
  /** Puts another medium into the CD drive of disk `index`; false when the guest has locked it in. Its actor runs. */
  changeMedium(index: number, disk: OpenDisk, force: boolean): Promise<boolean>;
  /** The same for a machine that has not been started: the drive's actor will have the file from its start. */
  presetMedium(index: number, disk: OpenDisk): void;
  tray(index: number): TrayStatus;
  /** The embedding program has heard where the guest has moved a tray. */
  trayHeard(index: number): void;
  /** What is on the PCI bus now. */
  pciFunctions(): readonly PciFunctionReport[];
  /** The guest's event channels, and whether one was raised; undefined where there is no Xen. */
  eventPorts(): readonly PortStatus[] | undefined;
  injectEvent(port: number): boolean | undefined;
  /** Whether each network card's link is up. */
  links(): readonly boolean[];
  /** True when nothing that the guest wrote is left here. */
  drained(): boolean;
  /** Closes everything and leaves the loop. */
  stop(): void;
}

/** What control/shutdown in xenstore may say. */
export type ShutdownRequest = "poweroff" | "reboot" | "suspend";

export interface DeviceSetup {
  /** What a person wants to know: the path of a pty, for one, by stream. */
  readonly places: Readonly<Record<string, string>>;
}
