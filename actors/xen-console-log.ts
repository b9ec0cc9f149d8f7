/** What the guest writes to Xen's own console, as lines of the log. */
import { LogLimiter, printable } from "../shared/log.js";
import type { Log } from "../shared/log.js";

const MAX_LINE = 1024;
/** A guest may write for ever; the log gets this many lines of it. */
const MAX_LINES = 10_000;

export class XenConsoleLog {
  readonly #log: Log;
  readonly #limit = new LogLimiter(MAX_LINES);
  #line = "";

  constructor(log: Log) {
    this.#log = log;
  }

  write(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x0a || this.#line.length >= MAX_LINE) this.#flush();
      if (byte !== 0x0a && byte !== 0x0d) this.#line += String.fromCharCode(byte);
    }
  }

  #flush(): void {
    if (this.#line !== "" && this.#limit.allow("line")) this.#log.info(`xen console: ${printable(this.#line)}`);
    this.#line = "";
  }
}
