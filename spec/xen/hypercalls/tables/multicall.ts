/** multicall. [XEN] xen.git xen/include/public/xen.h (struct multicall_entry) */
import { multicallEntry } from "../../../../xen/abi/multicall.js";
import { EFAULT, EINVAL, ENOSYS } from "./errno.js";
import { PlainHypercall } from "./family.js";
import type { Left, Memory } from "./row.js";
import { at } from "./value.js";
import type { Given } from "./value.js";

const MULTICALL = 13;
const XEN_VERSION = 17;
const PAGESIZE = 7;

const hypercall = new PlainHypercall(MULTICALL, "multicall", "multicall.ts");
const multicall = hypercall.operation;

/** The entry at the list's start, and what its result must be. */
const entry = (op: number, ...[arg0 = 0, arg1 = 0]: readonly Given[]): Memory => ({
  at: at("data"),
  layout: multicallEntry,
  fields: { op, arg0, arg1 },
});
const outcome = (result: number): Left => ({ at: at("data"), layout: multicallEntry, fields: { result } });

export const multicallTable = hypercall.table(
  "runs hypercalls in order, each with a result of its own; does not nest",
  [
    multicall.row("runs an entry", {}, 0, {
      args: { 0: at("data"), 1: 1 },
      memory: [entry(XEN_VERSION, PAGESIZE)],
      left: [outcome(4096)],
    }),
    multicall.row("gives an entry its error", {}, 0, {
      args: { 0: at("data"), 1: 1 },
      memory: [entry(55)],
      left: [outcome(ENOSYS)],
    }),
    multicall.row("gives an entry EFAULT for its pointer", {}, 0, {
      args: { 0: at("data"), 1: 1 },
      memory: [entry(XEN_VERSION, 1, at("hole"))],
      left: [outcome(EFAULT)],
    }),
    multicall.row("H21: refuses a multicall in a multicall", {}, 0, {
      args: { 0: at("data"), 1: 1 },
      memory: [entry(MULTICALL, at("data"), 1)],
      left: [outcome(EINVAL)],
    }),
    multicall.row("runs an empty list", {}, 0, { args: { 0: at("hole"), 1: 0 } }),
    ...([64, 32] as const).map((mode) =>
      multicall.row(`H21: runs 2^32-1 entries of ${mode / 8} bytes a word, as far as there is a list`, {}, EFAULT, {
        args: { 0: at("cliff", -mode), 1: 0xffff_ffff },
        memory: [entry(XEN_VERSION, PAGESIZE)].map((one) => ({ ...one, at: at("cliff", -mode) })),
        left: [{ ...outcome(4096), at: at("cliff", -mode) }],
        partial: true,
        mode,
      }),
    ),
    multicall.row("H21: refuses a list that is not there", {}, EFAULT, { args: { 0: at("hole"), 1: 1 } }),
    multicall.row("H21: refuses a list that is not canonical", {}, EFAULT, {
      args: { 0: at("not canonical"), 1: 1 },
      mode: 64,
    }),
    multicall.row("H4: refuses an entry of which the end is not there", {}, EFAULT, {
      args: { 0: at("cliff", -16), 1: 1 },
    }),
  ],
);
