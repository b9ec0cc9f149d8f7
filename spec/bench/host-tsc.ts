/** How fast guests see time go: the frequency of their time stamp counter. */
import { closeSync } from "node:fs";
import { KvmDevice, openKvm } from "../../actors/host/kvm.js";
import { openLibc } from "../../actors/host/libc.js";

/** In Hz, as KVM gives it to a vCPU whose owner asks for nothing else. @throws VmmError when there is no KVM */
export function guestTscHertz(): number {
  const libc = openLibc();
  const fds: number[] = [];
  const keep = (fd: number): KvmDevice => {
    fds.push(fd);
    return new KvmDevice(libc, fd);
  };
  try {
    const kvm = keep(openKvm(libc).fd);
    const vm = keep(kvm.must("CREATE_VM", 0, "create a VM"));
    const vcpu = keep(vm.must("CREATE_VCPU", 0, "create a vCPU"));
    return vcpu.must("GET_TSC_KHZ", 0, "ask for the frequency of a vCPU's TSC") * 1000;
  } finally {
    for (const fd of fds.reverse()) closeSync(fd);
  }
}
