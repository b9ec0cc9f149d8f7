/** All tables: one for each hypercall that xen/hypercalls/table.ts dispatches, and one of what it does not. */
import { eventChannelOpTable } from "./event-channel-op.js";
import { grantTableOpTable } from "./grant-table-op.js";
import { hvmOpTable } from "./hvm-op.js";
import { memoryOpTable } from "./memory-op.js";
import { multicallTable } from "./multicall.js";
import { physdevOpTable } from "./physdev-op.js";
import { consoleIoTable, setTimerOpTable, vmAssistTable } from "./plain.js";
import { refusedTables, unknownHypercalls, unknownSubOperations } from "./refused.js";
import type { Table } from "./row.js";
import { schedOpTable } from "./sched-op.js";
import { vcpuOpTable } from "./vcpu-op.js";
import { xenVersionRest, xenVersionTable } from "./xen-version.js";

export const TABLES: readonly Table[] = [
  xenVersionTable,
  memoryOpTable,
  multicallTable,
  setTimerOpTable,
  consoleIoTable,
  grantTableOpTable,
  vmAssistTable,
  vcpuOpTable,
  schedOpTable,
  eventChannelOpTable,
  physdevOpTable,
  hvmOpTable,
  ...refusedTables,
];

/** Numbers that nothing has. */
export const UNKNOWN: Table = {
  hypercall: -1,
  name: "what is unknown",
  source: "refused.ts",
  operations: [...unknownHypercalls, ...unknownSubOperations, xenVersionRest],
};
