/** What the command lines of `xenolith selftest` and `xenolith stress` have in common. */
import { parseArgs } from "node:util";
import type { ParseArgsConfig } from "node:util";
import { UsageError, didYouMean, usageError } from "../usage.js";
import { parseInteger } from "./settings.js";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>["values"];

/** @throws UsageError */
export function parseGuestCommand<T extends Options>(command: string, argv: readonly string[], options: T): Values<T> {
  // One dash is as good as two, as everywhere in the launcher.
  const args = argv.map((word) => word.replace(/^-(?=[a-z]{2})/, "--"));
  const names = Object.keys(options).map((name) => `--${name}`);
  const stranger = args.find((word) => /^--[^=]/.test(word) && !names.includes(word.replace(/=[^]*$/, "")));
  if (stranger !== undefined) {
    throw new UsageError(`${command}: unknown option '${stranger}'${didYouMean(stranger.replace(/^--/, ""), names)}`);
  }
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    const [line] = (cause instanceof Error ? cause.message : String(cause)).split(/[.\n]/);
    throw new UsageError(`${command}: ${line ?? ""}`, { cause });
  }
}

/** @throws UsageError */
export function wholeNumber(
  option: string,
  text: string | undefined,
  { fallback, min = 1, max }: { readonly fallback: number; readonly min?: number; readonly max: number },
): number {
  if (text === undefined) return fallback;
  const number = parseInteger(text);
  if (number === undefined || number < min || number > max) {
    throw usageError(option, `must be a whole number from ${min} to ${max}, not '${text}'`);
  }
  return number;
}

/** @throws UsageError */
export function transportName(text: string | undefined): "auto" | "kernel" | "userspace" {
  if (text === undefined || text === "auto" || text === "kernel" || text === "userspace") return text ?? "auto";
  throw usageError("--transport", `'${text}' is none of kernel, userspace${didYouMean(text, ["kernel", "userspace"])}`);
}
