import assert from "node:assert/strict";
import { chooseTransport, hvmConfigFlags } from "../../actors/xen-transport.js";
import { resolveConfig } from "../../shared/config.js";
import type { AccelConfig, MachineConfig } from "../../shared/config.js";

// <linux/kvm.h>: KVM_XEN_HVM_CONFIG_*, and what KVM_CAP_XEN_HVM has had since which Linux.
const [HYPERCALL_MSR, INTERCEPT_HCALL, SHARED_INFO, RUNSTATE] = [1, 2, 4, 8];
const [EVTCHN_2LEVEL, EVTCHN_SEND, RUNSTATE_UPDATE_FLAG, PVCLOCK_TSC_UNSTABLE, SHARED_INFO_HVA] = [
  16, 32, 64, 128, 256,
];
const LINUX_5_12 = 0x07;
const LINUX_6_9 = 0x1ff;

function accel(given: MachineConfig["accel"] = {}): AccelConfig {
  return resolveConfig({ boot: { kernel: "vmlinuz" }, accel: { xenVersion: 0x4000a, ...given } }).accel;
}

function choose(given: MachineConfig["accel"], flags: number, invariantTsc = true): ReturnType<typeof chooseTransport> {
  return chooseTransport(accel(given), { flags, invariantTsc });
}

describe("chooseTransport()", () => {
  it("is none without Xen", () => {
    assert.deepEqual(choose({ xenVersion: 0 }, LINUX_6_9), { kind: "none" });
  });

  it("takes KVM's Xen support from Linux 5.12 on, and any KVM otherwise", () => {
    assert.deepEqual(choose({}, 0), { kind: "userspace" });
    assert.deepEqual(choose({}, HYPERCALL_MSR), { kind: "userspace" });
    assert.deepEqual(choose({}, LINUX_5_12), { kind: "kernel", flags: LINUX_5_12 });
    assert.deepEqual(choose({ transport: "userspace" }, LINUX_6_9), { kind: "userspace" });
  });

  const pieces = [
    ["runstate", RUNSTATE],
    ["evtchn2level", EVTCHN_2LEVEL],
    ["evtchnSend", EVTCHN_SEND],
    ["runstateUpdateFlag", RUNSTATE_UPDATE_FLAG],
  ] as const;
  for (const [name, flag] of pieces) {
    it(`goes without ${name} when that is off`, () => {
      const flags = LINUX_6_9 & ~PVCLOCK_TSC_UNSTABLE & ~SHARED_INFO_HVA & ~flag;
      assert.deepEqual(choose({ offloads: { [name]: false } }, LINUX_6_9), { kind: "kernel", flags });
    });
  }

  it("has KVM find shared_info by our address only when that is asked for", () => {
    const flags = LINUX_6_9 & ~PVCLOCK_TSC_UNSTABLE;
    assert.deepEqual(choose({}, LINUX_6_9), { kind: "kernel", flags: flags & ~SHARED_INFO_HVA });
    assert.deepEqual(choose({ offloads: { sharedInfoHva: true } }, LINUX_6_9), { kind: "kernel", flags });
  });

  it("goes without the kernel transport when what that stands on is off", () => {
    for (const name of ["hypercallMsr", "interceptHcall", "sharedInfo"]) {
      const offloads = { [name]: false };
      assert.deepEqual(choose({ offloads }, LINUX_6_9), { kind: "userspace" });
      assert.throws(() => choose({ offloads, transport: "kernel" }, LINUX_6_9), {
        code: "CONFIG",
        message: /^accel\.transport: kernel needs the offloads hypercall-msr, intercept-hcall and shared-info/,
      });
    }
  });

  it("calls the clock's TSC unstable where it may be, or as told", () => {
    const uses = (wish: "auto" | "on" | "off", invariantTsc: boolean): boolean => {
      const transport = choose({ offloads: { pvclockTscUnstable: wish } }, LINUX_6_9, invariantTsc);
      return transport.kind === "kernel" && (transport.flags & PVCLOCK_TSC_UNSTABLE) !== 0;
    };
    assert.deepEqual([uses("auto", true), uses("auto", false)], [false, true]);
    assert.deepEqual([uses("on", true), uses("off", false)], [true, false]);
  });

  it("refuses what a host cannot do", () => {
    assert.throws(() => choose({ transport: "kernel" }, HYPERCALL_MSR), {
      code: "HOST_UNSUPPORTED",
      message: /KVM_CAP_XEN_HVM is 0x1; it needs Linux 5\.12/,
    });
    const unstable = { offloads: { pvclockTscUnstable: "on" } } as const;
    for (const [given, flags] of [
      [unstable, LINUX_5_12],
      [{ ...unstable, transport: "userspace" }, LINUX_6_9],
    ] as const) {
      assert.throws(() => choose(given, flags), {
        code: "HOST_UNSUPPORTED",
        message: /pvclock-tsc-unstable=on: .*6\.8/,
      });
    }
  });
});

describe("hvmConfigFlags()", () => {
  it("asks KVM for hypercalls, and for what the machine uses", () => {
    assert.equal(hvmConfigFlags(LINUX_5_12, true), INTERCEPT_HCALL);
    assert.equal(hvmConfigFlags(LINUX_6_9, true), INTERCEPT_HCALL | EVTCHN_SEND | PVCLOCK_TSC_UNSTABLE);
    assert.equal(hvmConfigFlags(LINUX_6_9, false), INTERCEPT_HCALL | PVCLOCK_TSC_UNSTABLE);
    assert.equal(hvmConfigFlags(SHARED_INFO | EVTCHN_SEND, false), INTERCEPT_HCALL);
  });
});
