/** One command of the monitor, and what it may do. */
import type { RunnableMachine } from "../library.js";

export interface MonitorHost {
  readonly machine: Pick<
    RunnableMachine,
    | "pause"
    | "resume"
    | "reset"
    | "suspend"
    | "setMemoryTarget"
    | "powerButton"
    | "dumpMemory"
    | "pciFunctions"
    | "networks"
    | "eventPorts"
    | "injectEvent"
    | "describeVcpus"
    | "cdDrives"
    | "changeMedium"
    | "config"
    | "status"
  >;
  readonly version: string;
  /** Ends the machine, and us with it. */
  quit(): void;
}

export interface Command {
  readonly name: string;
  readonly alias?: string;
  /** What follows the name in the help. */
  readonly argument?: string;
  readonly help: string;
  /** The answer, which may be empty or several lines. */
  run(host: MonitorHost, argument: string): Promise<string> | string;
}
