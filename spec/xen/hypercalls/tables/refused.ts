/** Hypercalls that ordinary guests are refused, and numbers that no hypercall has. [XEN] xen.git xen/include/public/xen.h */
import {
  BACKEND,
  E2BIG,
  EACCES,
  EFAULT,
  ENOSYS,
  EOPNOTSUPP,
  EPERM,
  ESRCH,
  NO_NUMBER,
  OWN_NUMBER,
  SELF,
  STRANGER,
} from "./errno.js";
import { PlainHypercall } from "./family.js";
import type { Memory, OperationTable, Table } from "./row.js";
import { at } from "./value.js";

const SOURCE = "refused.ts";
const [FIRST, LAST_OF_32_BITS] = [0, 0xffff_ffff];
/** No family has so many; above 63, memory_op's are something else. */
const UNKNOWN_COMMANDS = [63, 0x8000_003f];
/** The hypercall page ends with number 127. */
const PAGE_END = 128;

function refusal(number: number, name: string, error: number, why: string): Table {
  const hypercall = new PlainHypercall(number, name, SOURCE);
  const { operation } = hypercall;
  return hypercall.table(why, [
    operation.row("H20: refuses", {}, error, { args: { 0: at("argument") } }),
    operation.row("H20: refuses a null pointer", {}, error),
    operation.row("H20: refuses a pointer to nowhere", {}, error, { args: { 0: at("hole") } }),
  ]);
}

const dmOp = new PlainHypercall(41, "dm_op", SOURCE);
const TOOLSTACK = "refused: for the control domain";

interface Tool {
  readonly number: number;
  readonly name: string;
  /** Of its struct, in 32-bit words, and the version of its interface, which is the second. */
  readonly words: number;
  readonly version: number;
  readonly does: string;
}

/** Calls of the host's tools; `more` are rows of its own. */
function tool({ number, name, words, version, does }: Tool, more: readonly ToolRow[] = []): Table {
  const hypercall = new PlainHypercall(number, name, SOURCE);
  const { operation } = hypercall;
  const ask = (command: number, theVersion: number, domid: number): Memory => ({
    at: at("data"),
    width: 4,
    values: [command, theVersion, domid, ...new Array<number>(words - 3).fill(0)],
  });
  const args = { 0: at("data") };
  return hypercall.table(does, [
    operation.row("H20: refuses", {}, EPERM, { args, memory: [ask(1, version, 0)] }),
    operation.row("H20: refuses another version of itself", {}, EACCES, { args, memory: [ask(1, version + 1, 0)] }),
    operation.row("H20: refuses a struct that is not there", {}, EFAULT, { args: { 0: at("hole") } }),
    operation.row("H20: refuses a struct that runs off its page", {}, EFAULT, {
      args: { 0: at("cliff", 4 - words * 4) },
    }),
    ...more.map(({ what, command, domid, result, notInGuest }) =>
      operation.row(`H20: ${what}`, {}, result, {
        args,
        memory: [ask(command, version, domid)],
        ...(notInGuest === undefined ? {} : { notInGuest }),
      }),
    ),
  ]);
}

interface ToolRow {
  readonly what: string;
  readonly command: number;
  readonly domid: number;
  readonly result: number;
  readonly notInGuest?: string;
}

/** XEN_DOMCTL_pausedomain, XEN_DOMCTL_test_assign_device; and DOMID_INVALID. */
const PAUSE = 3;
const TEST_ASSIGN = 45;
const NO_DOMAIN = 0x7ff4;
const DOMCTLS: readonly ToolRow[] = [
  { what: "refuses about the back ends' domain", command: PAUSE, domid: BACKEND, result: EPERM },
  { what: "knows no other domain", command: PAUSE, domid: STRANGER, result: ESRCH },
  { what: "does not take DOMID_SELF", command: PAUSE, domid: SELF, result: ESRCH },
  { what: "refuses about itself", command: PAUSE, domid: OWN_NUMBER, result: EPERM, notInGuest: NO_NUMBER },
  { what: "refuses about no domain, where one may", command: TEST_ASSIGN, domid: NO_DOMAIN, result: EPERM },
  { what: "knows no domain of no number", command: PAUSE, domid: NO_DOMAIN, result: ESRCH },
];

export const refusedTables: readonly Table[] = [
  tool({ number: 7, name: "platform_op", words: 34, version: 0x300_0001, does: TOOLSTACK }),
  refusal(28, "nmi_op", ENOSYS, "not offered: HVM guests have a real IDT"),
  tool({ number: 35, name: "sysctl", words: 34, version: 0x15, does: TOOLSTACK }),
  tool({ number: 36, name: "domctl", words: 36, version: 0x15, does: TOOLSTACK }, DOMCTLS),
  refusal(37, "kexec_op", ENOSYS, "not offered: it is for the control domain's kernel"),
  refusal(39, "argo_op", ENOSYS, "not offered: there is no other domain"),
  refusal(40, "xenpmu_op", EOPNOTSUPP, "not offered: guests have the processor's own counters"),
  dmOp.table("refused: for device models, about other domains", [
    dmOp.operation.row("H20: refuses to be about itself", {}, EPERM, {
      args: { 0: OWN_NUMBER, 1: 1, 2: at("data") },
      memory: [{ at: at("data"), width: "ulong", values: [at("spare"), 16] }],
      notInGuest: NO_NUMBER,
    }),
    dmOp.operation.row("H20: does not take DOMID_SELF", {}, ESRCH, { args: { 0: SELF, 1: 0, 2: at("hole") } }),
    dmOp.operation.row("H20: knows no other domain", {}, ESRCH, { args: { 0: STRANGER, 1: 0, 2: at("hole") } }),
    dmOp.operation.row("H20: refuses to be about the back ends' domain", {}, EPERM, {
      args: { 0: BACKEND, 1: 0, 2: at("hole") },
    }),
    dmOp.operation.row("H20: refuses three buffers", {}, E2BIG, { args: { 0: STRANGER, 1: 3, 2: at("data") } }),
    dmOp.operation.row("H20: refuses 2^32-1 buffers", {}, E2BIG, { args: { 0: STRANGER, 1: -1, 2: at("data") } }),
    dmOp.operation.row("H20: refuses a list that is not there", {}, EFAULT, {
      args: { 0: STRANGER, 1: 1, 2: at("hole") },
    }),
  ]),
  refusal(42, "hypfs_op", EPERM, TOOLSTACK),
];

function unknown(number: number): OperationTable {
  const name = `number ${number}`;
  const { operation } = new PlainHypercall(number, name, SOURCE);
  const options = number === FIRST || number >= PAGE_END ? { notInGuest: "its hypercall page has no such entry" } : {};
  return operation.table("", [operation.row(`H1: ${name} is not there`, {}, ENOSYS, options)]);
}

/** H1: no hypercalls, so in no list of ours. */
export const unknownHypercalls: readonly OperationTable[] = [FIRST, 11, 38, 43, 55, 127, PAGE_END, LAST_OF_32_BITS].map(
  unknown,
);

/** H1 of a family: sub-operations that it does not have. */
export const unknownSubOperations: readonly OperationTable[] = (
  [
    [12, "memory_op"],
    [24, "vcpu_op"],
    [29, "sched_op"],
    [32, "event_channel_op"],
    [33, "physdev_op"],
    [34, "hvm_op"],
  ] as const
).map(([number, name]) => {
  const { operation } = new PlainHypercall(number, name, SOURCE);
  const rows = UNKNOWN_COMMANDS.map((command) =>
    operation.row(`H1: ${name} has no sub-operation ${command}`, {}, ENOSYS, {
      args: { 0: command, 2: at("argument") },
    }),
  );
  return operation.table("", rows);
});
