/** Hypercalls without sub-operations that have structs: timer, console, vm_assist. [XEN] xen.git xen/include/public/xen.h */
import { EFAULT, EINVAL, ENOSYS, EPERM } from "./errno.js";
import { PlainHypercall } from "./family.js";
import { at, now } from "./value.js";

const SOURCE = "plain.ts";
const setTimerOp = new PlainHypercall(15, "set_timer_op", SOURCE);
const consoleIoOp = new PlainHypercall(18, "console_io", SOURCE);
const vmAssistOp = new PlainHypercall(21, "vm_assist", SOURCE);

/** An hour, in ns. */
const HOUR = 3600e9;
/** CONSOLEIO_*. */
const WRITE = 0;
const READ = 1;
/** VMASST_CMD_* and VMASST_TYPE_*. */
const ENABLE = 0;
const DISABLE = 1;
const RUNSTATE_UPDATE_FLAG = 5;
const PAE_EXTENDED_CR3 = 3;

const setTimer = setTimerOp.operation;
const stop = setTimer.call({});

export const setTimerOpTable = setTimerOp.table("raises VIRQ_TIMER of the caller's vCPU at a time; 0 stops it", [
  setTimer.row("sets a time to come", {}, 0, { mode: 64, args: { 0: now(HOUR) }, last: [stop] }),
  setTimer.row("sets a time in two halves", {}, 0, { mode: 32, args: { 0: 5, 1: 1000 }, last: [stop] }),
  setTimer.row("stops", {}, 0),
  setTimer.row("H17: takes a time that is past", {}, 0, { args: { 0: 1 } }),
  setTimer.row("H17: takes a negative time", {}, 0, { mode: 64, args: { 0: -1 }, last: [stop] }),
  setTimer.row("H17: takes a time 2^52 ns ahead", {}, 0, { mode: 64, args: { 0: now(2 ** 52) }, last: [stop] }),
]);

const consoleIo = consoleIoOp.operation;
const line = "# a line of the hypercall tables\n";

export const consoleIoTable = consoleIoOp.table(
  "CONSOLEIO_write goes to the host's log of the guest; what is typed there is not for it",
  [
    consoleIo.row("writes", {}, 0, {
      args: { 0: WRITE, 1: line.length, 2: at("data") },
      memory: [{ at: at("data"), text: line }],
    }),
    consoleIo.row("writes across pages that lie apart", {}, 0, {
      args: { 0: WRITE, 1: line.length, 2: at("boundary", -7) },
      memory: [{ at: at("boundary", -7), text: line }],
    }),
    consoleIo.row("writes nothing", {}, 0, { args: { 0: WRITE, 1: 0, 2: at("hole") } }),
    consoleIo.row("refuses to read", {}, EPERM, { args: { 0: READ, 1: 16, 2: at("data") } }),
    ...[0x8000_0000, 0xffff_ffff].map((count) =>
      consoleIo.row(`H8: writes ${count} bytes, as far as there is a text`, {}, EFAULT, {
        args: { 0: WRITE, 1: count, 2: at("cliff", -8) },
      }),
    ),
    consoleIo.row("H3: refuses a text that is not there", {}, EFAULT, { args: { 0: WRITE, 1: 4, 2: at("hole") } }),
    consoleIo.row("H4: refuses a text that runs off its page", {}, EFAULT, {
      args: { 0: WRITE, 1: 16, 2: at("cliff", -8) },
    }),
    consoleIo.row("refuses command 2", {}, EPERM, { args: { 0: 2, 1: 4, 2: at("data") } }),
  ],
);

const assist = vmAssistOp.operation;
const assisted = (command: number, type: number): { readonly args: Record<number, number> } => ({
  args: { 0: command, 1: type },
});
const disable = assist.call({}, 0, assisted(DISABLE, RUNSTATE_UPDATE_FLAG));

export const vmAssistTable = vmAssistOp.table(
  "switches VMASST_TYPE_runstate_update_flag; the others are for PV guests",
  [
    assist.row("enables the flag", {}, 0, { ...assisted(ENABLE, RUNSTATE_UPDATE_FLAG), last: [disable] }),
    assist.row("disables it", {}, 0, assisted(DISABLE, RUNSTATE_UPDATE_FLAG)),
    assist.row("refuses a PV guest's type", {}, EINVAL, assisted(ENABLE, PAE_EXTENDED_CR3)),
    assist.row("refuses type 2^32-1", {}, EINVAL, assisted(ENABLE, 0xffff_ffff)),
    assist.row("refuses command 2", {}, ENOSYS, assisted(2, RUNSTATE_UPDATE_FLAG)),
    assist.row("refuses the type before the command", {}, EINVAL, assisted(2, PAE_EXTENDED_CR3)),
  ],
);
