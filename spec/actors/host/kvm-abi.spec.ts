/** Our layouts and numbers against those of <linux/kvm.h>. */
import assert from "node:assert/strict";
import * as abi from "../../../actors/host/kvm-abi.js";
import { SyncRegs } from "../../../actors/host/exit.js";
import { kvmReference } from "../../support/kvm-reference.js";
import type { Layout } from "../../support/kvm-reference.js";

const OURS = abi as unknown as Readonly<Record<string, Layout>>;
const { constants } = kvmReference;

describe("KVM ABI layouts", () => {
  for (const [name, expected] of Object.entries(kvmReference.structs).filter(([struct]) => struct !== "kvmRun")) {
    it(`${name} is laid out as in the header`, () => {
      const ours = OURS[name];
      assert(ours !== undefined);
      const offsets = Object.fromEntries(Object.keys(expected.offsets).map((field) => [field, ours.offsets[field]]));
      assert.deepEqual({ size: ours.size, offsets }, expected);
    });
  }

  it("has the headers in front of arrays as long as the C compiler does", () => {
    assert.deepEqual(
      [abi.KVM_CPUID2_HEADER, abi.KVM_MSRS_HEADER, abi.KVM_IRQ_ROUTING_HEADER],
      [constants["cpuid2Header"], constants["msrsHeader"], constants["irqRoutingHeader"]],
    );
    assert.deepEqual(abi.KVM_MSR_FILTER, {
      size: constants["msrFilterSize"],
      ranges: constants["msrFilterRanges"],
      read: constants["KVM_MSR_FILTER_READ"],
      write: constants["KVM_MSR_FILTER_WRITE"],
    });
  });
});

describe("KVM ABI numbers", () => {
  it("encodes every ioctl request as the header does", () => {
    assert.deepEqual(abi.KVM, kvmReference.requests);
  });

  it("numbers capabilities and exits as the header does", () => {
    assert.deepEqual(abi.KvmCap, kvmReference.capabilities);
    assert.deepEqual(abi.KvmExit, kvmReference.exits);
  });

  it("has the header's bits and attribute numbers", () => {
    assert.deepEqual(
      {
        KVM_API_VERSION: abi.KVM_API_VERSION,
        KVM_CPUID_FLAG_SIGNIFCANT_INDEX: abi.KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
        KVM_EXIT_HYPERV_HCALL: abi.KVM_EXIT_HYPERV_HCALL,
        KVM_SYSTEM_EVENT_RESET: abi.KvmSystemEvent.reset,
        KVM_SYSTEM_EVENT_CRASH: abi.KvmSystemEvent.crash,
        KVM_IOEVENTFD_FLAG_DEASSIGN: abi.KVM_IOEVENTFD_FLAG_DEASSIGN,
        KVM_IRQ_ROUTING_MSI: abi.KVM_IRQ_ROUTING_MSI,
        KVM_MEM_READONLY: abi.KVM_MEM_READONLY,
        KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL: abi.KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL,
        KVM_SYNC_X86_REGS: SyncRegs.regs,
        KVM_SYNC_X86_SREGS: SyncRegs.sregs,
        KVM_SYNC_X86_EVENTS: SyncRegs.events,
        KVM_VCPUEVENT_VALID_NMI_PENDING: abi.KvmVcpuEvent.nmiPending,
        KVM_VCPUEVENT_VALID_SHADOW: abi.KvmVcpuEvent.shadow,
        KVM_VCPU_TSC_CTRL: abi.KVM_VCPU_TSC_CTRL,
        KVM_VCPU_TSC_OFFSET: abi.KVM_VCPU_TSC_OFFSET,
        KVM_XEN_HVM_CONFIG_HYPERCALL_MSR: abi.KvmXenFlag.HYPERCALL_MSR,
        KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL: abi.KvmXenFlag.INTERCEPT_HCALL,
        KVM_XEN_HVM_CONFIG_SHARED_INFO: abi.KvmXenFlag.SHARED_INFO,
        KVM_XEN_HVM_CONFIG_RUNSTATE: abi.KvmXenFlag.RUNSTATE,
        KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL: abi.KvmXenFlag.EVTCHN_2LEVEL,
        KVM_XEN_HVM_CONFIG_EVTCHN_SEND: abi.KvmXenFlag.EVTCHN_SEND,
        KVM_XEN_ATTR_TYPE_LONG_MODE: abi.KvmXenAttr.LONG_MODE,
        KVM_XEN_ATTR_TYPE_SHARED_INFO: abi.KvmXenAttr.SHARED_INFO,
        KVM_XEN_ATTR_TYPE_UPCALL_VECTOR: abi.KvmXenAttr.UPCALL_VECTOR,
        KVM_XEN_ATTR_TYPE_EVTCHN: abi.KvmXenAttr.EVTCHN,
        KVM_XEN_ATTR_TYPE_XEN_VERSION: abi.KvmXenAttr.XEN_VERSION,
        KVM_XEN_EVTCHN_DEASSIGN: abi.KVM_XEN_EVTCHN_DEASSIGN,
        KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO: abi.KvmXenVcpuAttr.VCPU_INFO,
        KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO: abi.KvmXenVcpuAttr.VCPU_TIME_INFO,
        KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR: abi.KvmXenVcpuAttr.RUNSTATE_ADDR,
        KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID: abi.KvmXenVcpuAttr.VCPU_ID,
        KVM_XEN_VCPU_ATTR_TYPE_TIMER: abi.KvmXenVcpuAttr.TIMER,
        KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR: abi.KvmXenVcpuAttr.UPCALL_VECTOR,
      },
      Object.fromEntries(
        Object.entries(constants).filter(
          ([name]) => name.startsWith("KVM_") && !/KVM_MSR_FILTER|KVM_MSR_EXIT_REASON/.test(name),
        ),
      ),
    );
  });
});
