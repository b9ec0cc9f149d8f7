/** The `key=value,key=value` that most options take, in QEMU's syntax: a doubled comma is a comma of the value. */
import { didYouMean, usageError } from "../usage.js";
import type { UsageError } from "../usage.js";

export interface SettingsSyntax {
  /** The key of a first item that is a value alone: "cpus" in `--smp 2`. */
  readonly implied?: string;
  readonly known: readonly string[];
  /** Other spellings of known keys. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** One item between single commas. Its value is undefined when there was no `=`. */
export interface Item {
  readonly key: string;
  readonly value: string | undefined;
}

/** Splits at single commas; `,,` stands for one of the value. A comma at the end is ignored. */
export function splitItems(text: string, implied?: string): readonly Item[] {
  const items: Item[] = [];
  for (const item of text.match(/(?:[^,]|,,)+/g) ?? []) {
    const plain = item.replaceAll(",,", ",");
    const equals = plain.indexOf("=");
    if (equals >= 0) items.push({ key: plain.slice(0, equals), value: plain.slice(equals + 1) });
    else if (items.length === 0 && implied !== undefined) items.push({ key: implied, value: plain });
    else items.push({ key: plain, value: undefined });
  }
  return items;
}

/** The settings of one option, read by key. Of a key that comes twice, the later counts. */
export class Settings {
  /** How messages name the option: "--smp", "--device xen-disk". */
  readonly where: string;
  /** Every value of a key, in order. */
  readonly #values = new Map<string, string[]>();

  /** @throws UsageError on a key that is not known */
  constructor(where: string, items: readonly Item[], syntax: SettingsSyntax) {
    this.where = where;
    for (const item of items) this.#add(item, syntax);
  }

  static parse(where: string, text: string, syntax: SettingsSyntax): Settings {
    return new Settings(where, splitItems(text, syntax.implied), syntax);
  }

  /** Later texts add to earlier ones: `-M pc -M accel=kvm` is `-M pc,accel=kvm`. */
  static merged(where: string, texts: readonly string[], syntax: SettingsSyntax): Settings {
    return new Settings(
      where,
      texts.flatMap((text) => splitItems(text, syntax.implied)),
      syntax,
    );
  }

  text(key: string): string | undefined {
    return this.#values.get(key)?.at(-1);
  }

  /** All values of a key that may come more than once. */
  all(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  /** @throws UsageError when the setting is absent or empty */
  required(key: string): string {
    const value = this.text(key);
    if (value === undefined || value === "") throw usageError(this.where, `needs ${key}=`);
    return value;
  }

  flag(key: string): boolean | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const flag = parseFlag(value);
    if (flag === undefined) throw this.error(key, `must be on or off, not '${value}'`);
    return flag;
  }

  integer(key: string): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const number = parseInteger(value);
    if (number === undefined) throw this.error(key, `must be a whole number, not '${value}'`);
    return number;
  }

  choice<const T extends string>(key: string, choices: readonly T[]): T | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const choice = choices.find((known) => known === value);
    if (choice !== undefined) return choice;
    const hint = didYouMean(value, choices);
    throw this.error(key, `'${value}' is none of ${choices.join(", ")}${hint}`);
  }

  error(key: string, reason: string): UsageError {
    return usageError(`${this.where} ${key}`, reason);
  }

  #set(key: string, value: string): void {
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, [value]);
    else values.push(value);
  }

  #add({ key, value }: Item, { known, aliases }: SettingsSyntax): void {
    const named = aliases !== undefined && Object.hasOwn(aliases, key) ? (aliases[key] ?? key) : key;
    if (known.includes(named)) {
      this.#set(named, value ?? "on");
      return;
    }
    // The short form of a switch that is off, as in `server,nowait`.
    const positive = /^no(.+)$/.exec(key)?.[1];
    if (value === undefined && positive !== undefined && known.includes(positive)) {
      this.#set(positive, "off");
      return;
    }
    throw usageError(this.where, `unknown setting '${key}'${didYouMean(key, known)}`);
  }
}

const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ["on", true],
  ["yes", true],
  ["true", true],
  ["y", true],
  ["off", false],
  ["no", false],
  ["false", false],
  ["n", false],
]);

export function parseFlag(text: string): boolean | undefined {
  return FLAGS.get(text);
}

/** Decimal or `0x` hexadecimal, without sign; undefined when it is neither or too large to be exact. */
export function parseInteger(text: string): number | undefined {
  if (!/^(?:0x[0-9a-f]+|[0-9]+)$/i.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}

const SUFFIXES = "bkmgtpe";

/** Bytes in `text`, a whole number with one of the suffixes b k M G T P E; `unit` bytes each when it has none. */
export function parseSize(text: string, unit: number): number | undefined {
  const match = /^([0-9]+|0x[0-9a-f]+)([bkmgtpe]?)$/i.exec(text);
  if (match === null) return undefined;
  const suffix = match[2]?.toLowerCase() ?? "";
  const bytes = Number(match[1]) * (suffix === "" ? unit : 1024 ** SUFFIXES.indexOf(suffix));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
