/**
 * Talks to a store as its clients do, in the notation of docs/misc/xenstore.txt: "|" stands for NUL.
 *
 * A row of a protocol table is [who, transaction, request, expected reply], such as [1, 0, "READ data/x|", "ENOENT"].
 */
import assert from "node:assert/strict";
import { domId } from "../../../shared/brand.js";
import type { Connection } from "../../../xen/xenstore/connection.js";
import { XenStore } from "../../../xen/xenstore/store.js";
import type { StoreClient } from "../../../xen/xenstore/client.js";

/** Message types, as numbers of xs_wire.h. */
const TYPES = new Map([
  ["CONTROL", 0],
  ["DIRECTORY", 1],
  ["READ", 2],
  ["GET_PERMS", 3],
  ["WATCH", 4],
  ["UNWATCH", 5],
  ["TRANSACTION_START", 6],
  ["TRANSACTION_END", 7],
  ["INTRODUCE", 8],
  ["RELEASE", 9],
  ["GET_DOMAIN_PATH", 10],
  ["WRITE", 11],
  ["MKDIR", 12],
  ["RM", 13],
  ["SET_PERMS", 14],
  ["WATCH_EVENT", 15],
  ["ERROR", 16],
  ["IS_DOMAIN_INTRODUCED", 17],
  ["RESUME", 18],
  ["SET_TARGET", 19],
  ["RESET_WATCHES", 21],
  ["DIRECTORY_PART", 22],
]);
const ERROR = 16;
const WATCH_EVENT = 15;

export type Row = readonly [who: 0 | 1 | 2, transaction: number, request: string, reply: string];

export function toBytes(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll("|", "\0"), (c) => c.charCodeAt(0));
}

function fromBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte))
    .join("")
    .replaceAll("\0", "|");
}

/** "NAME payload" as type and payload. "#99 payload" gives a type by number. */
export function parseRequest(text: string): { readonly type: number; readonly payload: Uint8Array } {
  const space = text.indexOf(" ");
  const name = space < 0 ? text : text.slice(0, space);
  const type = name.startsWith("#") ? Number(name.slice(1)) : TYPES.get(name);
  assert(type !== undefined, `unknown request ${name}`);
  return { type, payload: toBytes(space < 0 ? "" : text.slice(space + 1)) };
}

export class StoreDriver {
  readonly store = new XenStore();
  readonly client: StoreClient = this.store.client();
  readonly #connections = new Map<number, Connection>();
  readonly #events = new Map<number, string[]>();

  /** A store as the toolstack leaves it: dom1 and dom2 have a home that they may read and a `data` of their own. */
  constructor() {
    for (const domid of [1, 2]) {
      const home = `/local/domain/${domid}`;
      this.client.write(home, "");
      this.client.setPermissions(home, ["n0", `r${domid}`]);
      this.client.write(`${home}/name`, "guest");
      this.client.setPermissions(`${home}/name`, ["n0", `r${domid}`]);
      this.client.write(`${home}/data`, "");
      this.client.setPermissions(`${home}/data`, [`n${domid}`]);
    }
  }

  connection(domid: number): Connection {
    const known = this.#connections.get(domid);
    if (known !== undefined) return known;
    const connection = this.store.connect(domId(domid), { flush: () => undefined });
    this.#connections.set(domid, connection);
    return connection;
  }

  /** The reply's payload, or the error's name. Events on the way are kept for {@link events}. */
  ask(domid: number, transaction: number, request: string): string {
    const connection = this.connection(domid);
    connection.receive({ ...parseRequest(request), reqId: 77, txId: transaction });
    const replies = this.#drain(domid);
    assert.equal(replies.length, 1, "one reply for each request");
    return replies[0] ?? "";
  }

  /** Events since the last call, as "path|token". */
  events(domid: number): string[] {
    this.#drain(domid);
    return this.#events.get(domid)?.splice(0) ?? [];
  }

  /** Plays a table and compares each reply. */
  play(rows: readonly Row[]): void {
    for (const [who, transaction, request, expected] of rows) {
      assert.equal(this.ask(who, transaction, request), expected, `dom${who} tx${transaction} ${request}`);
    }
  }

  #drain(domid: number): string[] {
    const replies: string[] = [];
    const events = this.#events.get(domid) ?? [];
    this.#events.set(domid, events);
    const { outbox } = this.connection(domid);
    for (let bytes = outbox.peek(); bytes !== undefined; bytes = outbox.peek()) {
      const words = new DataView(bytes.buffer, bytes.byteOffset, 16);
      const type = words.getUint32(0, true);
      const payload = fromBytes(bytes.subarray(16));
      assert.equal(words.getUint32(12, true), bytes.length - 16, "the header tells the payload's length");
      if (type === WATCH_EVENT) events.push(payload.replace(/\|$/, ""));
      else replies.push(type === ERROR ? payload.replace(/\|$/, "") : payload);
      outbox.take(bytes.length);
    }
    return replies;
  }
}

/** A store for one table. */
export function play(rows: readonly Row[]): StoreDriver {
  const driver = new StoreDriver();
  driver.play(rows);
  return driver;
}
