/** The library's front door. */
export { Machine } from "./actors/machine.js";
export type { MachineEnd, MachineOptions, MachineStatus } from "./actors/machine.js";
export type { StreamListener } from "./actors/output-streams.js";
export type { StreamName } from "./actors/streams.js";
export { resolveConfig } from "./shared/config.js";
export type { MachineConfig, ResolvedConfig } from "./shared/config.js";
export { VmmError } from "./shared/errors.js";
export type { ErrorDetails, VmmErrorCode } from "./shared/errors.js";
export { printable } from "./shared/log.js";
export type { LogFields, LogLevel, LogRecord } from "./shared/log.js";
export type { TraceName } from "./shared/trace.js";
