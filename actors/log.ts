/** Writes log records: lines of text for people, or JSON by pino for machines (and for files). */
import type { LogConfig } from "../shared/config.js";
import type { LogLevel, LogRecord } from "../shared/log.js";
import { printable } from "../shared/log.js";

export type LogSink = (record: LogRecord) => void;

const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** A sink as the configuration asks for. pino is loaded with the first record, as most machines log nothing. */
export function openLog(config: LogConfig): LogSink {
  const lowest = ORDER.indexOf(config.level);
  const write = config.json || config.file !== undefined ? pinoSink(config) : textSink;
  return (record) => {
    if (record.level === "trace" || ORDER.indexOf(record.level) >= lowest) write(record);
  };
}

/** "xenolith: warning: xenstore: message (key=value)" on standard error. */
function textSink({ level, component, message, fields }: LogRecord): void {
  // A trace line says it all.
  const shown = level === "trace" ? [] : Object.entries(fields);
  const details = shown.map(([key, value]) => `${key}=${printable(String(value))}`);
  const suffix = details.length === 0 ? "" : ` (${details.join(", ")})`;
  const label = level === "warn" ? "warning: " : level === "info" ? "" : `${level}: `;
  process.stderr.write(`xenolith: ${label}${component}: ${message}${suffix}\n`);
}

function pinoSink(config: LogConfig): LogSink {
  let queue: LogRecord[] | undefined = [];
  let put: LogSink = (record) => {
    queue?.push(record);
  };
  void import("pino").then(({ pino }) => {
    // Synchronous: the last line before an exit is the one that matters.
    const destination = pino.destination({ dest: config.file ?? 2, sync: true, append: true });
    // What is too low does not come here.
    const logger = pino({ level: "trace", base: {} }, destination);
    put = ({ level, component, message, fields }) => {
      logger[level]({ component, ...fields }, message);
    };
    for (const record of queue ?? []) put(record);
    queue = undefined;
  });
  return (record) => {
    put(record);
  };
}
