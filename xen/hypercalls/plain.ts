/** Hypercalls without sub-operation structs: timer, console, vm_assist; and those that guests are refused. */
import { Errno } from "../abi/errno.js";
import { ConsoleIo, HypercallNumber, VmAssist } from "../abi/xen.js";
import type { Hypercall } from "./call.js";

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

/** Bytes that one CONSOLEIO_write may carry; Xen has no limit but patience. */
const MAX_CONSOLE_WRITE = 0x10_0000;

export const consoleIo: Hypercall = {
  number: HypercallNumber.console_io,
  name: "console_io",
  run: (xen, call) => {
    const command = call.lo(0);
    // Nobody types into the hypervisor's console.
    if (command === ConsoleIo.read) return 0;
    if (command !== ConsoleIo.write) return Errno.ENOSYS;
    const count = call.lo(1);
    if (count > MAX_CONSOLE_WRITE) return Errno.E2BIG;
    const { buffer } = call;
    for (let done = 0; done < count;) {
      const length = Math.min(buffer.length, count - done);
      const low = call.lo(2) + done;
      const high = (call.hi(2) + Math.floor(low / 0x1_0000_0000)) >>> 0;
      if (!call.vm.read(high, low >>> 0, buffer, length)) return Errno.EFAULT;
      xen.host.consoleWrite(buffer.subarray(0, length));
      done += length;
    }
    return 0;
  },
};

export const vmAssist: Hypercall = {
  number: HypercallNumber.vm_assist,
  name: "vm_assist",
  run: (xen, call) => {
    const command = call.lo(0);
    if (command !== VmAssist.enable && command !== VmAssist.disable) return Errno.ENOSYS;
    // The others are for paravirtual page tables.
    if (call.lo(1) !== VmAssist.typeRunstateUpdateFlag) return Errno.EINVAL;
    const enabled = command === VmAssist.enable;
    const { kernel } = xen.host;
    if (kernel !== undefined && !kernel.setRunstateUpdateFlag(enabled)) return Errno.EINVAL;
    xen.domain.runstateUpdateFlag = enabled;
    return 0;
  },
};

/** Hypercalls that exist but are not for an ordinary guest, with Xen's answers. */
export const refused: readonly Hypercall[] = [
  { number: HypercallNumber.platform_op, name: "platform_op", run: () => Errno.EPERM },
  // Xen has no NMI callback for HVM guests: they have a real IDT.
  { number: HypercallNumber.nmi_op, name: "nmi_op", run: () => Errno.ENOSYS },
  { number: HypercallNumber.sysctl, name: "sysctl", run: () => Errno.EPERM },
  { number: HypercallNumber.domctl, name: "domctl", run: () => Errno.EPERM },
  { number: HypercallNumber.kexec_op, name: "kexec_op", run: () => Errno.EPERM },
  { number: HypercallNumber.argo_op, name: "argo_op", run: () => Errno.ENOSYS },
  { number: HypercallNumber.xenpmu_op, name: "xenpmu_op", run: () => Errno.EOPNOTSUPP },
  { number: HypercallNumber.hypfs_op, name: "hypfs_op", run: () => Errno.EPERM },
];
