/**
 * What follows a triple fault: a PC's chip set resets the machine. A guest that does so again soon after never comes up,
 * so that ends the machine with a report instead of a loop for ever.
 *
 * [SDM] Intel SDM volume 3, 6.15 "Interrupt 8 - double fault exception": shutdown mode, and the chip set's answer
 */
import { LogLimiter } from "../shared/log.js";
import type { LogRecord } from "../shared/log.js";

/** Guest time in which a second triple fault counts as the same failure. */
const AGAIN_NS = 5e9;
/** Reports that go into the log; a guest that lives for longer than that between two can go on for days. */
const REPORTS = 100;

export class TripleFaults {
  readonly #log: (record: LogRecord) => void;
  readonly #limiter = new LogLimiter(REPORTS);
  /** Guest time of the last one that was answered by a reset. */
  #lastNs = -Infinity;

  constructor(log: (record: LogRecord) => void) {
    this.#log = log;
  }

  /** True when the machine is to be reset, false when it ends as crashed. */
  resets(report: string, nowNs: number, noReboot: boolean): boolean {
    if (noReboot || nowNs - this.#lastNs < AGAIN_NS) return false;
    this.#lastNs = nowNs;
    if (this.#limiter.allow("report")) {
      this.#log({ level: "warn", component: "machine", message: `reset by the guest's ${report}`, fields: {} });
    }
    return true;
  }
}
