/**
 * Transactions against a model: a plain map of paths to values, and one copy of it for each open transaction.
 *
 * Inside, a transaction must answer as its copy does. A commit that succeeds must leave what the transaction's requests
 * would have left, and would have answered, if made all at once at the commit. One that fails must have met a change, made
 * by others since the start, of something that it used.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { StoreDriver } from "./store-driver.js";

interface Op {
  readonly verb: "READ" | "WRITE" | "MKDIR" | "RM" | "DIRECTORY";
  readonly path: string;
  readonly value: string;
}

type Nodes = Map<string, string>;

const TOP = "/t";

function above(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function below(nodes: Nodes, path: string): string[] {
  return [...nodes.keys()].filter((known) => `${known}/`.startsWith(`${path}/`));
}

/** What the request does to `nodes`, and its reply. `changed` collects values ("/t/a") and child lists ("/t/"). */
function model(nodes: Nodes, { verb, path, value }: Op, changed = new Set<string>()): string {
  switch (verb) {
    case "READ":
      return nodes.get(path) ?? "ENOENT";
    case "DIRECTORY":
      if (!nodes.has(path)) return "ENOENT";
      return [...nodes.keys()]
        .filter((known) => known !== TOP && above(known) === path)
        .map((known) => `${known.slice(path.length + 1)}|`)
        .sort()
        .join("");
    case "RM":
      if (!nodes.has(path)) return nodes.has(above(path)) ? "OK|" : "ENOENT";
      changed.add(`${above(path)}/`);
      for (const gone of below(nodes, path)) {
        nodes.delete(gone);
        changed.add(gone).add(`${gone}/`);
      }
      return "OK|";
    case "MKDIR":
    case "WRITE": {
      if (verb === "MKDIR" && nodes.has(path)) return "OK|";
      for (let missing = path; !nodes.has(missing); missing = above(missing)) {
        nodes.set(missing, "");
        changed.add(missing).add(`${above(missing)}/`);
      }
      nodes.set(path, verb === "WRITE" ? value : "");
      changed.add(path);
      return "OK|";
    }
  }
}

/** What a request, made now, depends on or changes: any outside change of it excuses a conflict. */
function footprint(nodes: Nodes, { verb, path }: Op): string[] {
  const used = [path];
  if (verb === "DIRECTORY") used.push(`${path}/`);
  if (verb === "RM") used.push(above(path), ...below(nodes, path).flatMap((node) => [node, `${node}/`]));
  for (let up = above(path); up.length > TOP.length; up = above(up)) used.push(up);
  return used;
}

interface OpenTransaction {
  readonly id: number;
  readonly nodes: Nodes;
  readonly log: { readonly op: Op; readonly reply: string }[];
  readonly used: Set<string>;
  /** What others have changed since the start. */
  readonly changed: Set<string>;
}

const path = fc
  .array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 3 })
  .map((names) => `${TOP}/${names.join("/")}`);
const op: fc.Arbitrary<Op> = fc.record({
  verb: fc.constantFrom("READ", "WRITE", "WRITE", "MKDIR", "RM", "DIRECTORY"),
  path,
  value: fc.constantFrom("1", "2", "3"),
});
/** Slot 0 is no transaction; 1 and 2 are transactions, started when first used. */
const step = fc.record({
  slot: fc.nat({ max: 2 }),
  op,
  end: fc.constantFrom(undefined, undefined, undefined, "T", "F"),
});

function ask(driver: StoreDriver, id: number, { verb, path: at, value }: Op): string {
  const reply = driver.ask(0, id, `${verb} ${at}|${verb === "WRITE" ? value : ""}`);
  if (verb !== "DIRECTORY" || reply === "ENOENT") return reply;
  return reply
    .replace(/\|$/, "")
    .split("|")
    .filter(Boolean)
    .map((name) => `${name}|`)
    .sort()
    .join("");
}

function run(steps: readonly { slot: number; op: Op; end: string | undefined }[]): void {
  const driver = new StoreDriver();
  driver.client.mkdir(TOP);
  let live: Nodes = new Map([[TOP, ""]]);
  const open = new Map<number, OpenTransaction>();

  function end(slot: number, transaction: OpenTransaction, decision: string): void {
    open.delete(slot);
    const reply = driver.ask(0, transaction.id, `TRANSACTION_END ${decision}|`);
    if (decision === "F") {
      assert.equal(reply, "OK|");
    } else if (reply === "OK|") {
      const next = new Map(live);
      const changed = new Set<string>();
      for (const { op: done, reply: answered } of transaction.log) assert.equal(model(next, done, changed), answered);
      live = next;
      for (const other of open.values()) for (const what of changed) other.changed.add(what);
    } else {
      assert.equal(reply, "EAGAIN");
      assert(
        [...transaction.used].some((what) => transaction.changed.has(what)),
        "a conflict without a cause",
      );
    }
  }

  for (const { slot, op: request, end: decision } of steps) {
    if (slot === 0) {
      const changed = new Set<string>();
      assert.equal(ask(driver, 0, request), model(live, request, changed));
      for (const other of open.values()) for (const what of changed) other.changed.add(what);
      continue;
    }
    let transaction = open.get(slot);
    if (transaction === undefined) {
      const id = Number.parseInt(driver.ask(0, 0, "TRANSACTION_START |"), 10);
      transaction = { id, nodes: new Map(live), log: [], used: new Set(), changed: new Set() };
      open.set(slot, transaction);
    }
    for (const what of footprint(transaction.nodes, request)) transaction.used.add(what);
    const reply = ask(driver, transaction.id, request);
    assert.equal(reply, model(transaction.nodes, request), "isolation");
    transaction.log.push({ op: request, reply });
    if (decision !== undefined) end(slot, transaction, decision);
  }
  for (const [slot, transaction] of open) end(slot, transaction, "T");
  const left = Array.from(live).sort();
  const found = driver.store
    .save()
    .nodes.flatMap(([at, value]) => (at === TOP || at.startsWith(`${TOP}/`) ? [[at, value]] : []));
  assert.deepEqual(found.sort(), left);
}

describe("transactions and their model", () => {
  it("agree on replies, conflicts and contents", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), run), { numRuns: 250 });
  });
});
