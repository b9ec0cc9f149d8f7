/** Text that the guest writes for people, to Xen's own console or the debug port, as lines of the log. */
import { LogLimiter, printable } from "../shared/log.js";
import type { Log } from "../shared/log.js";

const MAX_LINE = 1024;
/** A guest may write for ever; the log gets this many lines of it. */
const MAX_LINES = 10_000;

export class GuestTextLog {
  readonly #log: Log;
  /** What each line starts with. */
  readonly #source: string;
  readonly #limit = new LogLimiter(MAX_LINES);
  #line = "";

  constructor(log: Log, source: string) {
    this.#log = log;
    this.#source = source;
  }

  write(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x0a || this.#line.length >= MAX_LINE) this.finish();
      if (byte !== 0x0a && byte !== 0x0d) this.#line += String.fromCharCode(byte);
    }
  }

  /** Logs the line that is under way, as nothing more comes; true when there was one. */
  finish(): boolean {
    const line = this.#line;
    this.#line = "";
    if (line === "") return false;
    if (this.#limit.allow("line")) this.#log.info(`${this.#source}: ${printable(line)}`);
    return true;
  }
}
