/**
 * The command line as options with their values.
 *
 * QEMU's dialect lets one dash start a long option, and a value may start with a dash (`--append -v`). Node's parser takes
 * `-smp` for the flags s, m and p, and refuses such values, so each option is first respelt as `--name=value`. Node's own
 * parser is used because it costs a millisecond of start-up time where a package costs ten.
 */
import { parseArgs } from "node:util";
import { UsageError, didYouMean } from "../usage.js";
import { OPTIONS, SPELLINGS, spell } from "./table.js";
import type { FlagName, OptionName, OptionRow, ValueName } from "./table.js";

export class Arguments {
  readonly #values: Readonly<Record<string, readonly string[] | true | undefined>>;

  /** @throws UsageError when an option does not exist, or has a value too many or too few */
  constructor(argv: readonly string[]) {
    this.#values = parse(argv);
  }

  has(name: FlagName): boolean {
    return this.#values[name] === true;
  }

  /** All values given, in order. */
  all(name: ValueName): readonly string[] {
    const values = this.#values[name];
    return values === undefined || values === true ? [] : values;
  }

  /** The last value given, which is the one that counts where an option makes sense only once. */
  last(name: ValueName): string | undefined {
    return this.all(name).at(-1);
  }
}

function parse(argv: readonly string[]): Readonly<Record<string, readonly string[] | true>> {
  const options = Object.fromEntries(
    (Object.entries(OPTIONS) as [OptionName, OptionRow][]).map(([name, row]) => [
      name,
      row.value === undefined ? { type: "boolean" as const } : { type: "string" as const, multiple: true },
    ]),
  );
  const { values } = parseArgs({ args: respell(argv), options, strict: true, allowPositionals: false });
  return values as Record<string, string[] | true>;
}

function respell(argv: readonly string[]): string[] {
  const words: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    const match = /^--?([^-=][^=]*)(?:=([^]*))?$/.exec(word);
    if (match === null) throw strayWord(word);
    const name = SPELLINGS.get(match[1] ?? "");
    if (name === undefined) throw unknownOption(word, match[1] ?? "");
    const row: OptionRow = OPTIONS[name];
    let value = match[2];
    if (row.value === undefined) {
      if (value !== undefined) throw new UsageError(`${spell(name)}: takes no value`);
      words.push(`--${name}`);
      continue;
    }
    if (value === undefined) {
      at += 1;
      value = argv[at];
      if (value === undefined) throw new UsageError(`${spell(name)}: needs a value: ${spell(name)} ${row.value}`);
    }
    words.push(`--${name}=${value}`);
  }
  return words;
}

function unknownOption(word: string, name: string): UsageError {
  const written = word.startsWith("--") ? `--${name}` : `-${name}`;
  return new UsageError(`unknown option '${written}'${didYouMean(name, [...SPELLINGS.keys()].map(spell))}`);
}

function strayWord(word: string): UsageError {
  if (word.startsWith("-")) return new UsageError(`'${word}' is not an option`);
  return new UsageError(
    `unexpected argument '${word}': an image is attached by --drive file=FILE,if=none,id=ID --device xen-disk,drive=ID`,
  );
}
