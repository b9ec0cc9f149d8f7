/** Hypercalls without sub-operation structs: timer, console, vm_assist; and those that guests are refused. */
import { Errno } from "../abi/errno.js";
import { ConsoleIo, DOMID_INVALID, Domctl, HypercallNumber, VmAssist } from "../abi/xen.js";
import type { XenParts } from "../parts.js";
import { carried, numberError } from "./call.js";
import type { Hypercall, HypercallCall } from "./call.js";

/** set_timer_op: 64-bit callers give the time in one argument, 32-bit ones in two, low half first. */
export const setTimerOp: Hypercall = {
  number: HypercallNumber.set_timer_op,
  name: "set_timer_op",
  run: (xen, call) => {
    const high = call.longMode ? call.hi(0) : call.lo(1);
    xen.timers.setTimer(call.vcpu, high * 0x1_0000_0000 + call.lo(0));
    return 0;
  },
};

/** Bytes that are written before the guest makes the call again for the rest. */
const BYTES_PER_EXIT = 0x1_0000;

export const consoleIo: Hypercall = {
  number: HypercallNumber.console_io,
  name: "console_io",
  run: (xen, call) => {
    // To read what is typed there, or whatever else, is for the control domain.
    if (call.lo(0) !== ConsoleIo.write) return Errno.EPERM;
    const count = call.lo(1);
    const now = Math.min(count, BYTES_PER_EXIT);
    const { buffer } = call;
    for (let done = 0; done < now;) {
      const length = Math.min(buffer.length, now - done);
      const low = call.lo(2) + done;
      const high = carried(call.hi(2), low);
      if (!call.vm.read(high, low >>> 0, buffer, length)) return Errno.EFAULT;
      xen.host.consoleWrite(buffer.subarray(0, length));
      done += length;
    }
    if (now < count) call.goOn({ pointer: 2, bytes: now, count: 1, done: now });
    return 0;
  },
};

export const vmAssist: Hypercall = {
  number: HypercallNumber.vm_assist,
  name: "vm_assist",
  run: (xen, call) => {
    const command = call.lo(0);
    // The others are for paravirtual page tables. Xen looks at the type first.
    if (call.value(1) !== VmAssist.typeRunstateUpdateFlag) return Errno.EINVAL;
    if (command !== VmAssist.enable && command !== VmAssist.disable) return Errno.ENOSYS;
    const enabled = command === VmAssist.enable;
    const { kernel } = xen.host;
    if (kernel?.keepsRunstate === true && !kernel.setRunstateUpdateFlag(enabled)) return Errno.EINVAL;
    xen.domain.runstateUpdateFlag = enabled;
    return 0;
  },
};

/** Calls of the host's tools, all alike: a struct that begins with a command and the version of its interface. */
interface ToolCall {
  readonly number: number;
  readonly name: string;
  /** Of the whole struct, in bytes, in both layouts. */
  readonly bytes: number;
  readonly version: number;
  /** What the control domain could do, and others cannot. */
  readonly refuse: (xen: XenParts, call: HypercallCall) => number;
}

const TOOL_VERSION = 4;
const DOMCTL_COMMAND = 0;
const DOMCTL_DOMAIN = 8;

/** Xen fetches the struct, and looks at the version, before it asks who calls. */
function toolCall({ number, name, bytes, version, refuse }: ToolCall): Hypercall {
  return {
    number,
    name,
    run: (xen, call) => {
      if (!call.vm.read(call.hi(0), call.lo(0), call.buffer, bytes)) return Errno.EFAULT;
      return call.bufferView.getUint32(TOOL_VERSION, true) === version ? refuse(xen, call) : Errno.EACCES;
    },
  };
}

/** Xen looks for the domain that a domctl is about, but for those that may be about none. */
function refuseDomctl(xen: XenParts, call: HypercallCall): number {
  const command = call.bufferView.getUint32(DOMCTL_COMMAND, true);
  const domid = call.bufferView.getUint16(DOMCTL_DOMAIN, true);
  if (command === Domctl.createdomain) return Errno.EPERM;
  if (domid === DOMID_INVALID && Domctl.aboutNone.includes(command)) return Errno.EPERM;
  return numberError(xen, domid);
}

/** Buffers of one dm_op, each an address and a size of the caller's width. */
const MAX_DM_BUFFERS = 2;

/** dm_op: of device models, about other domains. Xen fetches the list of buffers, and then looks whom it is about. */
const dmOp: Hypercall = {
  number: HypercallNumber.dm_op,
  name: "dm_op",
  run: (xen, call) => {
    const count = call.lo(1);
    if (count > MAX_DM_BUFFERS) return Errno.E2BIG;
    const bytes = count * (call.longMode ? 16 : 8);
    if (!call.vm.read(call.hi(2), call.lo(2), call.buffer, bytes)) return Errno.EFAULT;
    return numberError(xen, call.lo(0) & 0xffff);
  },
};

/** Hypercalls that exist but are not for an ordinary guest, with Xen's answers. */
export const refused: readonly Hypercall[] = [
  toolCall({
    ...{ number: HypercallNumber.platform_op, name: "platform_op", bytes: 136, version: 0x300_0001 },
    refuse: () => Errno.EPERM,
  }),
  // Xen has no NMI callback for HVM guests: they have a real IDT.
  { number: HypercallNumber.nmi_op, name: "nmi_op", run: () => Errno.ENOSYS },
  toolCall({
    ...{ number: HypercallNumber.sysctl, name: "sysctl", bytes: 136, version: 0x15 },
    refuse: () => Errno.EPERM,
  }),
  toolCall({
    ...{ number: HypercallNumber.domctl, name: "domctl", bytes: 144, version: 0x15 },
    refuse: refuseDomctl,
  }),
  // For the control domain's kernel, which is no HVM guest.
  { number: HypercallNumber.kexec_op, name: "kexec_op", run: () => Errno.ENOSYS },
  { number: HypercallNumber.argo_op, name: "argo_op", run: () => Errno.ENOSYS },
  { number: HypercallNumber.xenpmu_op, name: "xenpmu_op", run: () => Errno.EOPNOTSUPP },
  dmOp,
  { number: HypercallNumber.hypfs_op, name: "hypfs_op", run: () => Errno.EPERM },
];
