/** What a program gives a machine beside its configuration. */
import type { LogSink } from "./log.js";

export interface MachineOptions {
  /** Where log records go; standard error, as the configuration says, when absent. */
  readonly log?: LogSink;
  /**
   * The process ends with this machine. Its disposal then does not wait for threads that have only just been started, which
   * may leave files open for as long as the process lives.
   */
  readonly lastOfProcess?: boolean;
}
