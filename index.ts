/** The library's front door. */
export { Machine } from "./actors/machine.js";
export { inspectHost } from "./actors/host/host-inspection.js";
export type { HostFinding, HostInspection } from "./actors/host/host-inspection.js";
export type { MachineOptions } from "./actors/machine-options.js";
export type { MachineEnd, MachineStatus } from "./actors/machine-end.js";
export type { CdDriveStatus, ChangeMediumOptions, TrayListener } from "./actors/media.js";
export type { NetworkStatus } from "./actors/network-status.js";
export type { StreamListener } from "./actors/output-streams.js";
export type { StreamName } from "./actors/streams.js";
export type { PciBarReport, PciFunctionReport } from "./devices/pci/inventory.js";
export type { PortStatus } from "./xen/port-list.js";
export { resolveConfig } from "./shared/config.js";
export { MAX_VCPUS } from "./shared/config/vcpus.js";
export type { MachineConfig, ResolvedConfig } from "./shared/config.js";
export { stress } from "./stress/stress.js";
export { CHANNELS, HOST_ACTIONS, PLANTS, WORKLOADS } from "./stress/options.js";
export type {
  Channels,
  HostActionCount,
  HostActionName,
  Plant,
  StressOptions,
  StressProgress,
  WorkloadCount,
  WorkloadName,
} from "./stress/options.js";
export type { StressFailure, StressOutcome, StressReport } from "./stress/report.js";
export { VmmError } from "./shared/errors.js";
export type { ErrorDetails, VmmErrorCode } from "./shared/errors.js";
export { printable } from "./shared/log.js";
export type { LogFields, LogLevel, LogRecord } from "./shared/log.js";
export type { TraceName } from "./shared/trace.js";
