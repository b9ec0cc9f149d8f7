/** What this host has of what machines want, and what it costs where something is missing: for people and for programs. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { VmmError } from "../../shared/errors.js";
import { FIRMWARE_FOLDERS } from "../firmware-image.js";
import { carriesKernelTransport } from "../xen-transport.js";
import { KvmXenFlag } from "./kvm-abi.js";
import { openKvm } from "./kvm.js";
import type { KvmDevice } from "./kvm.js";
import { openLibc } from "./libc.js";

export interface HostFinding {
  /** Short and stable: "kvm", "xen-evtchn-send". */
  readonly name: string;
  readonly present: boolean;
  /** No machine starts without it. */
  readonly required: boolean;
  /** What is there; or what its absence costs, and what would help. */
  readonly text: string;
}

export interface HostInspection {
  readonly findings: readonly HostFinding[];
  /** What `xen-transport=auto` would take; undefined where no machine can run. */
  readonly transport: "kernel" | "userspace" | undefined;
}

type XenFlagName = keyof typeof KvmXenFlag;

/** By flag: what is done where it is missing. */
const XEN_FLAGS: Readonly<Record<XenFlagName, readonly [since: string, cost: string]>> = {
  HYPERCALL_MSR: ["2.6.32", "the userspace transport is used"],
  INTERCEPT_HCALL: ["5.12", "the userspace transport is used"],
  SHARED_INFO: ["5.12", "the userspace transport is used"],
  RUNSTATE: ["5.13", "guests see no steal time"],
  EVTCHN_2LEVEL: ["5.17", "nothing: no interrupt of ours goes by an irqfd"],
  EVTCHN_SEND: ["5.19", "events, IPIs, polls and timers leave the kernel: one exit more for each"],
  RUNSTATE_UPDATE_FLAG: ["6.3", "a guest that asks for it reads runstate without the marker of an update under way"],
  PVCLOCK_TSC_UNSTABLE: [
    "6.8",
    "guests are told of a stable TSC whenever KVM takes it for that, as Xen does not by default",
  ],
  SHARED_INFO_HVA: ["6.9", "KVM is told anew each time that a guest moves shared_info"],
};

/** Looks, and changes nothing. */
export function inspectHost(): HostInspection {
  const libc = openLibc();
  const others = [
    fastBinding(libc.fastBinding),
    firmware(),
    program("passt", "no --netdev user: install the package passt"),
  ];
  let kvm: KvmDevice;
  try {
    kvm = openKvm(libc);
  } catch (error) {
    if (!(error instanceof VmmError)) throw error;
    return {
      findings: [{ name: "kvm", present: false, required: true, text: error.message }, ...others],
      transport: undefined,
    };
  }
  try {
    const flags = kvm.capability("XEN_HVM");
    const findings: readonly HostFinding[] = [
      { name: "kvm", present: true, required: true, text: `/dev/kvm, with all that every machine needs` },
      readOnlyMemory(kvm),
      ...xenFindings(flags),
      hyperv(kvm),
      ...others,
    ];
    const transport = carriesKernelTransport(flags) ? "kernel" : "userspace";
    return { findings, transport };
  } finally {
    kvm.close();
  }
}

function xenFindings(flags: number): readonly HostFinding[] {
  const names = Object.keys(XEN_FLAGS) as readonly XenFlagName[];
  return names.map((name) => {
    const present = (flags & KvmXenFlag[name]) !== 0;
    const [since, cost] = XEN_FLAGS[name];
    const text = present ? `KVM_XEN_HVM_CONFIG_${name}` : `${cost} (Linux ${since} has it, with CONFIG_KVM_XEN)`;
    return { name: `xen-${name.toLowerCase().replaceAll("_", "-")}`, present, required: false, text };
  });
}

function hyperv(kvm: KvmDevice): HostFinding {
  const present = kvm.capability("HYPERV_CPUID") !== 0;
  const text = present
    ? "Hyper-V can show itself beside Xen (--cpu host,hv-relaxed…)"
    : "no --cpu hv-…: Windows does without Hyper-V's help (Linux 5.0 has it, with CONFIG_KVM_HYPERV since 6.8)";
  return { name: "hyperv", present, required: false, text };
}

function readOnlyMemory(kvm: KvmDevice): HostFinding {
  const present = kvm.capability("READONLY_MEM") !== 0;
  const text = present ? "firmware can be write-protected" : "no boot by firmware: only kernels, by --kernel";
  return { name: "read-only-memory", present, required: false, text };
}

function fastBinding(name: string): HostFinding {
  const present = name === "koffi";
  const text = present
    ? "system calls of the exit path go by koffi"
    : "each call of the exit path takes 4 to 6 µs instead of 0.2: install koffi (npm install koffi)";
  return { name: "koffi", present, required: false, text };
}

function firmware(): HostFinding {
  const path = FIRMWARE_FOLDERS.map((folder) => join(folder, "bios-256k.bin")).find(readable);
  const text = path ?? "disks boot with --bios only: install the package seabios";
  return { name: "seabios", present: path !== undefined, required: false, text };
}

function program(name: string, cost: string): HostFinding {
  const path = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(readable);
  return { name, present: path !== undefined, required: false, text: path ?? cost };
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
