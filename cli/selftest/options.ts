/** The command line of `xenolith selftest`. */
import type { MachineConfig } from "../../index.js";
import { parseGuestCommand, transportName, wholeNumber } from "../options/guest-command.js";
import { cpuModel } from "../options/machine.js";
import { OFFLOAD_NAMES } from "../options/offloads.js";
import { didYouMean, usageError } from "../usage.js";

export interface SelftestOptions {
  readonly vcpus: number;
  readonly transport: "auto" | "kernel" | "userspace";
  /** What the guest's code is: the 32-bit guest checks the layouts of such guests, on one processor. */
  readonly bits: 32 | 64;
  /** As for a machine's `--cpu`. */
  readonly cpu: MachineConfig["cpu"];
  /** Pieces of KVM's Xen support that are not to be used. */
  readonly without: readonly string[];
  /** Only the checks of these groups; all when empty. */
  readonly groups: readonly string[];
  /** Seconds after which the guest is taken for hung. */
  readonly timeoutSeconds: number;
  readonly help: boolean;
}

const OPTIONS = {
  smp: { type: "string" },
  transport: { type: "string" },
  bits: { type: "string" },
  cpu: { type: "string" },
  without: { type: "string", multiple: true },
  group: { type: "string", multiple: true },
  timeout: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const DEFAULT_VCPUS = 2;
const MAX_VCPUS = 64;
const DEFAULT_TIMEOUT_SECONDS = 120;

export const SELFTEST_USAGE = `usage: xenolith selftest [options]

Boots a small guest that checks what Xen promises to guests, and prints a line for each check.

  --smp N                 virtual CPUs, 1 to ${MAX_VCPUS} (default ${DEFAULT_VCPUS})
  --transport NAME        kernel or userspace (default: kernel where KVM has Xen support)
  --bits N                64, or 32 for what 32-bit guests see (default 64)
  --cpu host[,FEATURE]    CPU model and features, as for machines
  --without OFFLOAD       a piece of KVM's Xen support that is not to be used, as --accel kvm,xen-offload-OFFLOAD=off;
                          may be repeated
  --group NAME            only the checks of this group; may be repeated
  --timeout SECONDS       how long the guest may take (default ${DEFAULT_TIMEOUT_SECONDS})
  --help                  print this

Exit codes: 0 all checks passed, 1 some did not or the host failed, 2 the command line is wrong, 4 the guest crashed.
`;

/** @throws UsageError */
export function parseSelftestOptions(argv: readonly string[]): SelftestOptions {
  const values = parseGuestCommand("selftest", argv, OPTIONS);
  if (values.bits === "32" && values.group !== undefined) throw usageError("--group", "the 32-bit guest has none");
  return {
    vcpus: wholeNumber("--smp", values.smp, { fallback: DEFAULT_VCPUS, max: MAX_VCPUS }),
    transport: transportName(values.transport),
    bits: bits(values.bits),
    cpu: values.cpu === undefined ? undefined : cpuModel(values.cpu),
    without: (values.without ?? []).map(offload),
    groups: (values.group ?? []).map(group),
    timeoutSeconds: wholeNumber("--timeout", values.timeout, { fallback: DEFAULT_TIMEOUT_SECONDS, max: 86_400 }),
    help: values.help ?? false,
  };
}

function bits(text: string | undefined): SelftestOptions["bits"] {
  if (text === undefined || text === "64") return 64;
  if (text === "32") return 32;
  throw usageError("--bits", `must be 32 or 64, not '${text}'`);
}

function offload(text: string): string {
  if (OFFLOAD_NAMES.includes(text)) return text;
  throw usageError("--without", `there is no offload '${text}'${didYouMean(text, OFFLOAD_NAMES)}`);
}

/** Groups go into the guest's command line, so they must be single words. */
function group(text: string): string {
  if (/^[a-z0-9-]+$/.test(text)) return text;
  throw usageError("--group", `'${text}' is not the name of a group`);
}
