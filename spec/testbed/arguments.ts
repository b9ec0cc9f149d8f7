/** The command line of `npm run testbed -- [options] [command [argument…]]`. */
import { parseArgs } from "node:util";
import { TestbedError } from "./errors.js";
import { GUEST_SUITES, type GuestSuite } from "./kernels.js";

/** What to do once the testbed is up. */
export type TestbedAction =
  | { readonly kind: "help" }
  /** Only make sure that everything is in the cache. */
  | { readonly kind: "build" }
  | { readonly kind: "shell" }
  | { readonly kind: "run"; readonly command: string };

export interface TestbedArguments {
  readonly action: TestbedAction;
  /** Host directory to see at /share; a fresh one, deleted afterwards, when absent. */
  readonly share?: string;
  readonly guestKernels: readonly GuestSuite[];
  readonly cpus: number;
  readonly memoryMiB: number;
  /** Milliseconds a command may take; none when absent. */
  readonly timeoutMs?: number;
  /** Show the machine's own console on stderr. */
  readonly console: boolean;
}

export const DEFAULT_CPUS = 2;
export const DEFAULT_MEMORY_MIB = 4096;

export const USAGE = `usage: npm run testbed -- [options] <command> [argument...]
       npm run testbed -- [options] --shell

Runs a command in a throw-away KVM host with Xen support, from this project's directory, and returns its output and exit code.
One argument is a shell command line; several are a program and its arguments.

  --shell                an interactive shell instead of a command
  --build                only build what is not yet in the cache
  --share DIR            show DIR at /share, writable (default: an empty directory, deleted afterwards)
  --guest-kernel SUITE   have Debian's kernel of SUITE at /kernels/SUITE (${GUEST_SUITES.join(", ")}); may be repeated
  --cpus N               processors of the machine (default ${DEFAULT_CPUS})
  --memory MIB           its memory (default ${DEFAULT_MEMORY_MIB})
  --timeout SECONDS      kill the command after so long
  --console              show the machine's console on stderr
  --help                 this text
`;

/** @throws TestbedError on an option that does not exist or has no sensible value. */
export function parseTestbedArguments(argv: readonly string[]): TestbedArguments {
  const { options, command } = splitAtCommand(argv);
  const { values } = parseOptions(options);
  return {
    action: chooseAction(values, command),
    ...(values.share !== undefined && { share: values.share }),
    guestKernels: (values["guest-kernel"] ?? []).map(guestSuite),
    cpus: values.cpus === undefined ? DEFAULT_CPUS : positive("--cpus", values.cpus),
    memoryMiB: values.memory === undefined ? DEFAULT_MEMORY_MIB : positive("--memory", values.memory),
    ...(values.timeout !== undefined && { timeoutMs: positive("--timeout", values.timeout) * 1000 }),
    console: values.console === true,
  };
}

/** Quotes `text` so that a POSIX shell takes it as one word. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const OPTIONS = {
  help: { type: "boolean" },
  shell: { type: "boolean" },
  build: { type: "boolean" },
  console: { type: "boolean" },
  share: { type: "string" },
  "guest-kernel": { type: "string", multiple: true },
  cpus: { type: "string" },
  memory: { type: "string" },
  timeout: { type: "string" },
} as const;

type OptionName = keyof typeof OPTIONS;

/** Our options stop at the first word that is none: all from there on belongs to the command, dashes included. */
function splitAtCommand(argv: readonly string[]): { options: string[]; command: string[] } {
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? "";
    if (!word.startsWith("-")) break;
    at += 1;
    if (word === "--") break;
    if (!word.includes("=") && takesValue(word.slice(2))) at += 1;
  }
  return { options: argv.slice(0, at).filter((word) => word !== "--"), command: argv.slice(at) };
}

function takesValue(name: string): boolean {
  return name in OPTIONS && OPTIONS[name as OptionName].type === "string";
}

function parseOptions(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, strict: true, allowPositionals: false });
  } catch (cause) {
    throw new TestbedError(`${cause instanceof Error ? cause.message : String(cause)}\n\n${USAGE}`, { cause });
  }
}

function chooseAction(
  values: {
    readonly help?: boolean | undefined;
    readonly build?: boolean | undefined;
    readonly shell?: boolean | undefined;
  },
  command: readonly string[],
): TestbedAction {
  if (values.help === true) return { kind: "help" };
  if (values.build === true) return { kind: "build" };
  if (values.shell === true) return { kind: "shell" };
  const [only] = command;
  if (only === undefined) throw new TestbedError(`Nothing to run\n\n${USAGE}`);
  return { kind: "run", command: command.length === 1 ? only : command.map(quote).join(" ") };
}

function guestSuite(name: string): GuestSuite {
  const suite = GUEST_SUITES.find((known) => known === name);
  if (suite === undefined) throw new TestbedError(`--guest-kernel ${name}: the suites are ${GUEST_SUITES.join(", ")}`);
  return suite;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0)
    throw new TestbedError(`${option} ${text}: a positive whole number is needed`);
  return value;
}
