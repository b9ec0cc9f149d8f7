/** Pieces of KVM's Xen support by the names that the command line has for them. */
import type { MachineConfig } from "../../index.js";
import type { Settings } from "./settings.js";

type Offloads = NonNullable<NonNullable<MachineConfig["accel"]>["offloads"]>;

const OFFLOADS = {
  "hypercall-msr": "hypercallMsr",
  "intercept-hcall": "interceptHcall",
  "shared-info": "sharedInfo",
  runstate: "runstate",
  "evtchn-2level": "evtchn2level",
  "evtchn-send": "evtchnSend",
  "runstate-update-flag": "runstateUpdateFlag",
  "pvclock-tsc-unstable": "pvclockTscUnstable",
  "shared-info-hva": "sharedInfoHva",
} as const satisfies Readonly<Record<string, keyof Offloads>>;

export const OFFLOAD_NAMES: readonly string[] = Object.keys(OFFLOADS);

const PREFIX = "xen-offload-";
/** Keys of `--accel`. */
export const OFFLOAD_KEYS: readonly string[] = OFFLOAD_NAMES.map((name) => PREFIX + name);

/** What `--accel kvm,xen-offload-NAME=on|off` says of them. */
export function offloads(settings: Settings): Offloads {
  const given = Object.entries(OFFLOADS).map(([name, field]) => {
    const key = PREFIX + name;
    return [field, field === "pvclockTscUnstable" ? settings.choice(key, ["auto", "on", "off"]) : settings.flag(key)];
  });
  return Object.fromEntries(given) as Offloads;
}

/** A machine without those in `names`, all of {@link OFFLOAD_NAMES}. */
export function without(names: readonly string[]): Offloads {
  const given = Object.entries(OFFLOADS)
    .filter(([name]) => names.includes(name))
    .map(([, field]) => [field, field === "pvclockTscUnstable" ? "off" : false]);
  return Object.fromEntries(given) as Offloads;
}
