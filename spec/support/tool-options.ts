/** The options of the project's own tools (`npm run fuzz`, `soak`, `matrix`): `--name VALUE`, and `--help`. */
import { parseArgs } from "node:util";

/** Exit codes: of a host that lacks something, and of a command line that cannot be. */
const HOST_ERROR = 1;
const USAGE_ERROR = 2;

/** Each option with its default; `undefined` for one that need not be there. */
type Defaults = Readonly<Record<string, string | undefined>>;

export interface Tool {
  /** As npm runs it. */
  readonly name: string;
  /** What `--help` prints. */
  readonly usage: string;
}

/** The options' values. A command line that cannot be ends the process, with one line that says why. */
export function toolOptions<const D extends Defaults>(
  tool: Tool,
  defaults: D,
  argv: readonly string[] = process.argv.slice(2),
): { readonly [K in keyof D]: D[K] extends string ? string : string | undefined } {
  const named = Object.keys(defaults).map((name) => [name, { type: "string" }] as const);
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    const options = { ...Object.fromEntries(named), help: { type: "boolean" } } as const;
    values = parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    return refuse(tool, (error as Error).message);
  }
  if (values["help"] === true) {
    process.stdout.write(tool.usage);
    process.exit(0);
  }
  return { ...defaults, ...values } as never;
}

/** @returns a whole number from `least` on, or `Infinity` where that is the default and nothing was said */
export function wholeNumber(tool: Tool, option: string, text: string, least = 0): number {
  const value = Number(text);
  if (text !== "" && value >= least && (Number.isSafeInteger(value) || value === Infinity)) return value;
  return refuse(tool, `--${option} takes a whole number from ${least} on, not ${JSON.stringify(text)}`);
}

/** Ends the process with one line when this host has not what the tool needs. */
export function requireHost(tool: Tool, lack: string | undefined): void {
  if (lack === undefined) return;
  process.stderr.write(`${tool.name}: ${lack}\n`);
  process.exit(HOST_ERROR);
}

/** Ends the process with one line about its command line. */
export function refuse(tool: Tool, why: string): never {
  // Node's own message goes on with what one could have meant.
  process.stderr.write(`${tool.name}: ${why.split(/\.\s/)[0] ?? why}\n`);
  process.exit(USAGE_ERROR);
}
