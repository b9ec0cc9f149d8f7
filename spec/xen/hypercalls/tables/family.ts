/** Words in which the tables are written: a family of sub-operations, their structs, calls and rows. */
import type { DualStruct } from "../../../../xen/abi/dual-struct.js";
import { EFAULT } from "./errno.js";
import type { Call, ExpectedFields, Fields, Left, Memory, OperationTable, Row, Save, Table } from "./row.js";
import { at } from "./value.js";
import type { Expected, Given, Value } from "./value.js";

/** What a call has beside its struct's fields and its result. */
export interface CallOptions {
  /** Where the struct lies; "argument" unless said. */
  readonly place?: Value;
  /** Arguments by position that are not the family's usual ones. */
  readonly args?: Readonly<Record<number, Given>>;
  /** Memory that the struct points to. */
  readonly memory?: readonly Memory[];
  /** Fields of the struct afterwards. */
  readonly after?: ExpectedFields;
  /** Other memory afterwards. */
  readonly left?: readonly Left[];
  /** Fields of the struct to keep, by slot. */
  readonly save?: Readonly<Record<number, string>>;
  readonly saveResult?: number;
  readonly partial?: boolean;
}

export interface RowOptions extends CallOptions {
  readonly first?: readonly Call[];
  readonly last?: readonly Call[];
  readonly ifRefused?: readonly Call[];
  readonly mode?: 64 | 32;
  readonly vcpus?: number;
  readonly cpl?: number;
  readonly notInGuest?: string;
}

/** Which way a struct is copied, or none where the handler does that itself. */
export type Copied = "in" | "out" | "inout" | "none";

/** What comes of pointers that lead nowhere, and why some cannot be tried in a running guest. */
export interface PointerOptions {
  /** What it answers to them; -EFAULT unless said. */
  readonly fault?: number;
  /** What stays allocated when the struct cannot be copied back. */
  readonly leaks?: string;
  /** KVM may answer itself, and does not look whether addresses are canonical. */
  readonly byKvm?: boolean;
}

interface OperationOptions extends PointerOptions {
  readonly layout?: DualStruct<unknown>;
  readonly copied: Copied;
}

export interface FamilyOptions {
  readonly name: string;
  readonly number: number;
  /** File in which its rows stand. */
  readonly source: string;
  /** Position of the pointer among the arguments. */
  readonly pointer: number;
  /** Usual values of arguments beside sub-operation and pointer. */
  readonly args?: Readonly<Record<number, Given>>;
}

const ARGUMENTS = 5;

/** One sub-operation, and how it is called. */
export class Operation {
  readonly number: number;
  readonly name: string;
  readonly #family: FamilyOptions;
  readonly #options: OperationOptions;

  constructor(
    family: FamilyOptions,
    row: { readonly number: number; readonly name: string },
    options: OperationOptions,
  ) {
    this.number = row.number;
    this.name = row.name;
    this.#family = family;
    this.#options = options;
  }

  /** A call with a struct of `fields`. */
  call(fields: Fields, result: Expected = 0, options: CallOptions = {}): Call {
    const { layout } = this.#options;
    const place = options.place ?? at("argument");
    const args = this.#arguments(place, options);
    const before: Memory[] = [...(options.memory ?? [])];
    const after: Left[] = [...(options.left ?? [])];
    const saves: Save[] = [];
    if (layout !== undefined) {
      before.unshift({ at: place, layout, fields });
      if (options.after !== undefined) after.push({ at: place, layout, fields: options.after });
      for (const [slot, field] of Object.entries(options.save ?? {})) {
        saves.push({ slot: Number(slot), at: place, layout, field });
      }
    }
    return {
      number: this.#family.number,
      args,
      before,
      result,
      after,
      saves,
      ...(options.saveResult === undefined ? {} : { saveResult: options.saveResult }),
      ...(options.partial === undefined ? {} : { partial: options.partial }),
    };
  }

  row(name: string, fields: Fields, result: Expected, options: RowOptions = {}): Row {
    const { first = [], last = [], vcpus = 1, ifRefused, mode, cpl, notInGuest } = options;
    return {
      name,
      first,
      call: this.call(fields, result, options),
      last,
      vcpus,
      ...(ifRefused === undefined ? {} : { ifRefused }),
      ...(mode === undefined ? {} : { mode }),
      ...(cpl === undefined ? {} : { cpl }),
      ...(notInGuest === undefined ? {} : { notInGuest }),
    };
  }

  /**
   * The operation with its rows. The first must be one that succeeds: it is done again with its struct at other places,
   * good and bad.
   */
  table(does: string, rows: readonly Row[]): OperationTable {
    const [example] = rows;
    if (example === undefined) throw new Error(`Cannot list ${this.name} without a row`);
    return { number: this.number, name: this.name, does, rows: [...rows, ...this.#pointerRows(example)] };
  }

  #arguments(place: Value, options: CallOptions): readonly Given[] {
    const args = new Array<Given>(ARGUMENTS).fill(0);
    const set = (values: Readonly<Record<number, Given>>): void => {
      for (const [index, given] of Object.entries(values)) args[Number(index)] = given;
    };
    if (this.number >= 0) args[0] = this.number;
    set(this.#family.args ?? {});
    if (this.#options.layout !== undefined || options.place !== undefined) args[this.#family.pointer] = place;
    set(options.args ?? {});
    return args;
  }

  /** H3, H4: pointers that lead nowhere; and structs across pages that lie apart. */
  #pointerRows(example: Row): readonly Row[] {
    const { layout, copied, leaks, byKvm = false, fault = EFAULT } = this.#options;
    if (layout === undefined) return [];
    const half = Math.max(1, Math.floor(layout.compat.size / 2));
    const moved = (name: string, place: Value, more: Partial<Row> = {}): Row => ({
      ...example,
      name,
      call: this.#movedCall(example.call, place),
      ...more,
    });
    // A call that fails leaves nothing to undo but what came before it.
    const undo = example.first.length === 0 ? [] : example.last.filter((call) => !needs(call, example.call));
    const last = example.ifRefused ?? undo;
    const faulty = (name: string, place: Value, more: Partial<Row> = {}): Row => {
      const row = moved(name, place, { last, ...more });
      return { ...row, call: { ...row.call, result: fault, after: [], saves: [] } };
    };
    const rows = [
      moved("takes its struct across pages that lie apart", at("boundary", -half)),
      faulty("H3: refuses a pointer to a page that is not there", at("hole")),
      faulty("H3: refuses a pointer that is not canonical", at("not canonical"), {
        mode: 64,
        ...(byKvm ? { notInGuest: "KVM may answer, and does not look at the upper bits" } : {}),
      }),
      faulty("H4: refuses a struct whose second page is not there", at("cliff", -half)),
      faulty("H5: refuses a pointer to where nothing is", at("nowhere")),
    ];
    if (copied !== "in" && copied !== "none") {
      const more = leaks === undefined ? {} : { notInGuest: leaks };
      const row = faulty("H3: refuses to write to a page that is read-only", at("read-only"), more);
      // What the struct points to is filled before the struct.
      rows.push({ ...row, call: { ...row.call, partial: row.call.before.length > 1 } });
    }
    return rows;
  }

  /** The call with its struct at `place`. */
  #movedCall(call: Call, place: Value): Call {
    const args = [...call.args];
    const home = args[this.#family.pointer];
    args[this.#family.pointer] = place;
    const move = <T extends { readonly at: Value }>(item: T): T => (item.at === home ? { ...item, at: place } : item);
    return {
      ...call,
      args,
      before: call.before.map(move),
      after: call.after.map(move),
      saves: call.saves.map(move),
    };
  }
}

/** Whether `call` uses what `other` saves. */
function needs(call: Call, other: Call): boolean {
  const slots = new Set(other.saves.map(({ slot }) => slot));
  if (other.saveResult !== undefined) slots.add(other.saveResult);
  const uses = (given: unknown): boolean =>
    typeof given === "object" && given !== null && "base" in given && isSaved((given as Value).base, slots);
  const fields = call.before.flatMap((item): readonly unknown[] =>
    "fields" in item ? Object.values(item.fields) : "values" in item ? item.values : [],
  );
  return [...call.args, ...fields].some(uses);
}

function isSaved(base: Value["base"], slots: ReadonlySet<number>): boolean {
  return base.kind === "saved" && slots.has(base.slot);
}

/** A hypercall with sub-operations. */
export class Family {
  readonly #options: FamilyOptions;

  constructor(options: FamilyOptions) {
    this.#options = options;
  }

  /** A sub-operation with a struct behind its pointer. */
  operation(
    row: { readonly number: number; readonly name: string },
    copied: Copied,
    layout: DualStruct<unknown>,
    pointers: PointerOptions = {},
  ): Operation {
    return new Operation(this.#options, row, { layout, copied, ...pointers });
  }

  /** One without a struct. */
  bare(number: number, name: string): Operation {
    return new Operation(this.#options, { number, name }, { copied: "none" });
  }

  table(operations: readonly OperationTable[]): Table {
    const { number, name, source } = this.#options;
    return { hypercall: number, name, source, operations };
  }
}

/** A hypercall without sub-operations; its rows stand in `source`. */
export class PlainHypercall {
  readonly operation: Operation;
  readonly #options: FamilyOptions;

  constructor(number: number, name: string, source: string) {
    this.#options = { name, number, source, pointer: ARGUMENTS };
    this.operation = new Operation(this.#options, { number: -1, name }, { copied: "none" });
  }

  table(does: string, rows: readonly Row[]): Table {
    const { number, name, source } = this.#options;
    return { hypercall: number, name, source, operations: [this.operation.table(does, rows)] };
  }
}
