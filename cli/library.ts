/** What the launcher needs of the library's machine. */
import type {
  CdDriveStatus,
  NetworkStatus,
  PciFunctionReport,
  PortStatus,
  ResolvedConfig,
  StreamName,
} from "../index.js";

/** Why a machine came to its end. */
export type MachineEnd =
  | { readonly kind: "poweroff" }
  /** The guest asked for a reset and the machine was told not to do it. */
  | { readonly kind: "reset-requested" }
  /** The guest wrote to the debug exit port; `code` is what QEMU would exit with. */
  | { readonly kind: "debug-exit"; readonly code: number }
  /** `report` is text of several lines for a person. */
  | { readonly kind: "crash"; readonly report: string }
  /** Somebody on our side called `stop()`. */
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly error: Error };

export interface RunnableMachine extends AsyncDisposable {
  readonly config: Pick<ResolvedConfig, "disks" | "nets">;
  /** The guest has powered off, and the machine is kept until it is reset or stopped. */
  readonly poweredOff: boolean;
  /** Settles once, when all that the guest wrote has gone to the listeners; never rejects. */
  readonly ended: Promise<MachineEnd>;
  start(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  reset(): Promise<void>;
  /** Asks a Xen guest to suspend itself; resolves when it has. */
  suspend(): Promise<void>;
  /** Sets what the balloon driver of a Xen guest aims at. */
  setMemoryTarget(bytes: number): Promise<void>;
  stop(): Promise<void>;
  /** Presses the ACPI power button. */
  powerButton(): Promise<void>;
  /** Puts a serial port's line into the break condition for a moment. */
  sendBreak(stream: StreamName): Promise<void>;
  cdDrives(): Promise<readonly CdDriveStatus[]>;
  /** Puts the image at `path`, or nothing, into the CD drive called `id`; `force` opens a tray that the guest has locked. */
  changeMedium(id: string, path: string | undefined, options?: { readonly force?: boolean }): Promise<void>;
  pciFunctions(): Promise<readonly PciFunctionReport[]>;
  networks(): Promise<readonly NetworkStatus[]>;
  /** The event channels of a Xen guest. */
  eventPorts(): Promise<readonly PortStatus[]>;
  /** Raises one of them; false when `port` is not in use. */
  injectEvent(port: number): Promise<boolean>;
  /** Registers, instruction and last exits of each vCPU of a machine that is paused. */
  describeVcpus(): Promise<string>;
  /** Writes the guest's memory and registers to an ELF core file. */
  dumpMemory(path: string): Promise<void>;
  /** "running", "paused" and so on, for a person. */
  status(): string;
  /** Gives bytes to the guest; resolves when the device has taken all of them. */
  writeStream(stream: StreamName, bytes: Uint8Array): Promise<void>;
  /**
   * Calls `listener` with what the guest writes from now on, in private memory. When it returns a promise, nothing more comes before
   * that resolves, and the guest waits once the device's buffer is full.
   */
  onStream(stream: StreamName, listener: StreamListener): void;
}

export type StreamListener = (bytes: Uint8Array) => Promise<void> | undefined;
