/** Structured log, as the rooms see it; `actors/log.ts` writes it. Guest bytes never go into a message raw. */

/** "trace" is for what was asked for by name (shared/trace.ts): it is written whatever the lowest level is. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogRecord {
  readonly level: LogLevel;
  /** Which part speaks: "xenstore", "vcpu0". */
  readonly component: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that hands each record to `sink`. */
export function logTo(component: string, sink: (record: LogRecord) => void): Log {
  function at(level: LogLevel): (message: string, fields?: LogFields) => void {
    return (message, fields = {}) => {
      sink({ level, component, message, fields });
    };
  }
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/**
 * Lets `limit` messages through for each of at most 64 keys, so that a guest cannot flood the log.
 * The last one that passes says that the rest is dropped.
 */
export class LogLimiter {
  readonly #counts = new Map<string, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when the message for `key` may be written. */
  allow(key: string): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#limit || (count === 0 && this.#counts.size >= 64)) return false;
    this.#counts.set(key, count + 1);
    return true;
  }
}

/** Escapes control characters, so that guest text cannot drive the terminal or forge log lines. */
export function printable(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
