/** The command line of `xenolith selftest`. */
import { parseArgs } from "node:util";
import { parseInteger } from "../options/settings.js";
import { UsageError, didYouMean, usageError } from "../usage.js";

export interface SelftestOptions {
  readonly vcpus: number;
  readonly transport: "auto" | "kernel" | "userspace";
  /** Only the checks of these groups; all when empty. */
  readonly groups: readonly string[];
  /** Seconds after which the guest is taken for hung. */
  readonly timeoutSeconds: number;
  readonly help: boolean;
}

const OPTIONS = {
  smp: { type: "string" },
  transport: { type: "string" },
  group: { type: "string", multiple: true },
  timeout: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const DEFAULT_VCPUS = 2;
const MAX_VCPUS = 8;
const DEFAULT_TIMEOUT_SECONDS = 120;

export const SELFTEST_USAGE = `usage: xenolith selftest [options]

Boots a small guest that checks what Xen promises to guests, and prints a line for each check.

  --smp N                 virtual CPUs, 1 to ${MAX_VCPUS} (default ${DEFAULT_VCPUS})
  --transport NAME        kernel or userspace (default: kernel where KVM has Xen support)
  --group NAME            only the checks of this group; may be repeated
  --timeout SECONDS       how long the guest may take (default ${DEFAULT_TIMEOUT_SECONDS})
  --help                  print this

Exit codes: 0 all checks passed, 1 some did not or the host failed, 2 the command line is wrong, 4 the guest crashed.
`;

/** @throws UsageError */
export function parseSelftestOptions(argv: readonly string[]): SelftestOptions {
  const { values } = parse(argv);
  return {
    vcpus: whole("--smp", values.smp, { fallback: DEFAULT_VCPUS, max: MAX_VCPUS }),
    transport: transport(values.transport),
    groups: (values.group ?? []).map(group),
    timeoutSeconds: whole("--timeout", values.timeout, { fallback: DEFAULT_TIMEOUT_SECONDS, max: 86_400 }),
    help: values.help ?? false,
  };
}

function parse(argv: readonly string[]) {
  // One dash is as good as two, as everywhere in the launcher.
  const args = argv.map((word) => word.replace(/^-(?=[a-z]{2})/, "--"));
  const names = Object.keys(OPTIONS).map((name) => `--${name}`);
  const stranger = args.find((word) => /^--[^=]/.test(word) && !names.includes(word.replace(/=[^]*$/, "")));
  if (stranger !== undefined) {
    throw new UsageError(`selftest: unknown option '${stranger}'${didYouMean(stranger.replace(/^--/, ""), names)}`);
  }
  try {
    return parseArgs({ args, options: OPTIONS, strict: true, allowPositionals: false });
  } catch (cause) {
    const [line] = (cause instanceof Error ? cause.message : String(cause)).split(/[.\n]/);
    throw new UsageError(`selftest: ${line ?? ""}`, { cause });
  }
}

function whole(option: string, text: string | undefined, { fallback, max }: { fallback: number; max: number }): number {
  if (text === undefined) return fallback;
  const number = parseInteger(text);
  if (number === undefined || number < 1 || number > max) {
    throw usageError(option, `must be a whole number from 1 to ${max}, not '${text}'`);
  }
  return number;
}

function transport(text: string | undefined): SelftestOptions["transport"] {
  if (text === undefined || text === "auto" || text === "kernel" || text === "userspace") return text ?? "auto";
  throw usageError("--transport", `'${text}' is none of kernel, userspace${didYouMean(text, ["kernel", "userspace"])}`);
}

/** Groups go into the guest's command line, so they must be single words. */
function group(text: string): string {
  if (/^[a-z0-9-]+$/.test(text)) return text;
  throw usageError("--group", `'${text}' is not the name of a group`);
}
