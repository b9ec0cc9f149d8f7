/**
 * Requests: one table of names, rules and handlers. Rules are checked once, before the handler.
 *
 * [XENSTORE] xen.git docs/misc/xenstore.txt
 */
import type { Connection } from "./connection.js";
import {
  changePermissions,
  makeDirectory,
  readDirectory,
  readPermissions,
  readValue,
  removeNode,
  writeValue,
} from "./operations.js";
import type { Session } from "./operations.js";
import { domainPath, resolvePath } from "./path.js";
import { DOM0, formatPermissions, parsePermissions } from "./permissions.js";
import { Quota } from "./quotas.js";
import type { Transaction } from "./transaction.js";
import type { Change, LiveView } from "./view.js";
import { watchFor } from "./watches.js";
import type { Watch, WatchTable } from "./watches.js";
import { Failure, nulStrings, nulTerminated, soleString, textBytes, XENSTORE_PAYLOAD_MAX, XsType } from "./wire.js";
import type { Message, Outcome } from "./wire.js";

/** One request on its way through the table. */
export interface Request extends Session {
  readonly connection: Connection;
  readonly payload: Uint8Array;
  readonly txId: number;
  readonly transaction: Transaction | undefined;
  readonly watches: WatchTable;
  readonly introduced: ReadonlySet<number>;
}

/** What a request came to: the reply's payload, and what watches hear after the reply. */
export interface Answer {
  readonly payload: Uint8Array;
  readonly changes?: readonly Change[];
  /** A watch that was just set: it fires once at once. */
  readonly watch?: Watch;
}

interface Operation {
  readonly name: string;
  /** For dom0 only; a guest gets EACCES. */
  readonly privileged?: true;
  /** The header's transaction id has no meaning. */
  readonly outsideTransactions?: true;
  /** Absent where this store has nothing to do: domains come and go by method calls, never by messages. */
  readonly handle?: (request: Request) => Outcome<Answer>;
}

const OK: Answer = { payload: textBytes("OK\0") };
const EINVAL = new Failure("EINVAL");

/** By XsType. WATCH_EVENT and ERROR go from us to the client only, so as requests they are unknown. */
const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [XsType.control, { name: "CONTROL", privileged: true }],
  [XsType.directory, { name: "DIRECTORY", handle: directory }],
  [XsType.read, { name: "READ", handle: read }],
  [XsType.getPerms, { name: "GET_PERMS", handle: getPerms }],
  [XsType.watch, { name: "WATCH", outsideTransactions: true, handle: watch }],
  [XsType.unwatch, { name: "UNWATCH", outsideTransactions: true, handle: unwatch }],
  [XsType.transactionStart, { name: "TRANSACTION_START", handle: transactionStart }],
  [XsType.transactionEnd, { name: "TRANSACTION_END", handle: transactionEnd }],
  [XsType.introduce, { name: "INTRODUCE", privileged: true }],
  [XsType.release, { name: "RELEASE", privileged: true }],
  [XsType.getDomainPath, { name: "GET_DOMAIN_PATH", handle: getDomainPath }],
  [XsType.write, { name: "WRITE", handle: write }],
  [XsType.mkdir, { name: "MKDIR", handle: mkdir }],
  [XsType.rm, { name: "RM", handle: rm }],
  [XsType.setPerms, { name: "SET_PERMS", handle: setPerms }],
  [XsType.isDomainIntroduced, { name: "IS_DOMAIN_INTRODUCED", privileged: true, handle: isDomainIntroduced }],
  [XsType.resume, { name: "RESUME", privileged: true }],
  [XsType.setTarget, { name: "SET_TARGET", privileged: true }],
  [XsType.resetWatches, { name: "RESET_WATCHES", handle: resetWatches }],
  [XsType.directoryPart, { name: "DIRECTORY_PART", handle: directoryPart }],
]);

/** A request's name in [XENSTORE], for traces. */
export function requestName(type: number): string {
  return OPERATIONS.get(type)?.name ?? `unknown (${type})`;
}

/** What the store lends to a request. */
export interface RequestHost {
  readonly live: LiveView;
  readonly watches: WatchTable;
  readonly introduced: ReadonlySet<number>;
}

/** Checks `message` against the table and carries it out. */
export function answer(connection: Connection, message: Message, host: RequestHost): Outcome<Answer> {
  const operation = OPERATIONS.get(message.type);
  if (operation === undefined) return new Failure("ENOSYS");
  const { domid } = connection;
  if (operation.privileged === true && domid !== DOM0) return new Failure("EACCES");
  if (operation.handle === undefined) return new Failure("ENOSYS");
  const txId = operation.outsideTransactions === true ? 0 : message.txId;
  const transaction = connection.transaction(txId);
  if (txId !== 0 && transaction === undefined) return new Failure("ENOENT");

  const { live, watches, introduced } = host;
  const view = transaction ?? live;
  const payload = message.payload;
  const result = operation.handle({ domid, view, connection, payload, txId, transaction, watches, introduced });
  // A transaction that outgrew its quotas in this request, or before, has not done what was asked.
  if (transaction?.failure !== undefined && message.type !== XsType.transactionEnd) return transaction.failure;
  if (result instanceof Failure) return result;
  if (result.payload.length > XENSTORE_PAYLOAD_MAX) return new Failure("E2BIG");
  return live.changes.length === 0 ? result : { ...result, changes: live.changes };
}

/** The path that is the whole payload. */
function solePath({ payload, domid }: Request, special = false): string | undefined {
  const text = soleString(payload);
  return text === undefined ? undefined : legalPath(text, { domid }, special);
}

function legalPath(text: string, { domid }: Pick<Request, "domid">, special: boolean): string | undefined {
  return !special && text.startsWith("@") ? undefined : resolvePath(text, domid);
}

function acknowledge(outcome: Outcome<true>): Outcome<Answer> {
  return outcome instanceof Failure ? outcome : OK;
}

function read(request: Request): Outcome<Answer> {
  const path = solePath(request);
  if (path === undefined) return EINVAL;
  const value = readValue(request, path);
  return value instanceof Failure ? value : { payload: value };
}

function directory(request: Request): Outcome<Answer> {
  const path = solePath(request);
  if (path === undefined) return EINVAL;
  const node = readDirectory(request, path);
  return node instanceof Failure ? node : { payload: nulTerminated([...node.children.keys()]) };
}

/** path, byte offset → generation count, then names from there; an empty name ends the list. */
function directoryPart(request: Request): Outcome<Answer> {
  const [text, offsetText, ...rest] = nulStrings(request.payload);
  if (text === undefined || offsetText === undefined || rest.length > 0) return EINVAL;
  const path = legalPath(text, request, false);
  if (path === undefined) return EINVAL;
  const node = readDirectory(request, path);
  if (node instanceof Failure) return node;

  const generation = `${node.childrenStamp}\0`;
  // Anything that is not a number counts as 0, as C's atoi() has it; negative ones are past the end.
  const offset = Number.parseInt(offsetText, 10) || 0;
  const names = [...node.children.keys()].map((name) => `${name}\0`).join("");
  if (offset < 0 || offset >= names.length) return { payload: textBytes(`${generation}\0`) };

  const room = XENSTORE_PAYLOAD_MAX - generation.length - 1;
  if (names.length - offset <= room) return { payload: textBytes(`${generation}${names.slice(offset)}\0`) };
  const end = names.lastIndexOf("\0", offset + room - 1) + 1;
  return { payload: textBytes(generation + names.slice(offset, Math.max(offset, end))) };
}

function write(request: Request): Outcome<Answer> {
  const end = request.payload.indexOf(0);
  if (end < 0) return EINVAL;
  const path = solePath({ ...request, payload: request.payload.subarray(0, end + 1) });
  if (path === undefined) return EINVAL;
  return acknowledge(writeValue(request, path, request.payload.slice(end + 1)));
}

function mkdir(request: Request): Outcome<Answer> {
  const path = solePath(request);
  return path === undefined ? EINVAL : acknowledge(makeDirectory(request, path));
}

function rm(request: Request): Outcome<Answer> {
  const path = solePath(request);
  return path === undefined ? EINVAL : acknowledge(removeNode(request, path));
}

function getPerms(request: Request): Outcome<Answer> {
  const path = solePath(request, true);
  if (path === undefined) return EINVAL;
  const permissions = readPermissions(request, path);
  return permissions instanceof Failure ? permissions : { payload: nulTerminated(formatPermissions(permissions)) };
}

function setPerms(request: Request): Outcome<Answer> {
  const [text, ...entries] = nulStrings(request.payload);
  if (text === undefined || entries.length === 0) return EINVAL;
  if (request.domid !== DOM0 && entries.length > Quota.permissions) return new Failure("ENOSPC");
  const permissions = parsePermissions(entries);
  const path = legalPath(text, request, true);
  if (permissions === undefined || path === undefined) return EINVAL;
  return acknowledge(changePermissions(request, path, permissions));
}

function watch({ payload, connection, domid, watches }: Request): Outcome<Answer> {
  const [text, token, ...rest] = nulStrings(payload);
  if (text === undefined || token === undefined || rest.length > 0) return EINVAL;
  const path = legalPath(text, { domid }, true);
  if (path === undefined) return EINVAL;
  const added = watchFor(text, path, token, domid);
  const outcome = watches.add(connection, added, domid === DOM0 ? Infinity : Quota.watches);
  return outcome instanceof Failure ? outcome : { ...OK, watch: added };
}

function unwatch({ payload, connection, domid, watches }: Request): Outcome<Answer> {
  const [text, token, ...rest] = nulStrings(payload);
  if (text === undefined || token === undefined || rest.length > 0) return EINVAL;
  const path = legalPath(text, { domid }, true);
  return path === undefined ? EINVAL : acknowledge(watches.remove(connection, { path, token }));
}

function resetWatches({ connection }: Request): Outcome<Answer> {
  connection.resetWatches();
  return OK;
}

function transactionStart({ transaction, connection }: Request): Outcome<Answer> {
  if (transaction !== undefined) return new Failure("EBUSY");
  const id = connection.startTransaction();
  return id instanceof Failure ? id : { payload: nulTerminated([`${id}`]) };
}

function transactionEnd({ payload, transaction, connection, txId }: Request): Outcome<Answer> {
  const decision = soleString(payload);
  if (decision !== "T" && decision !== "F") return EINVAL;
  if (transaction === undefined) return new Failure("ENOENT");
  connection.endTransaction(txId);
  const changes = decision === "T" ? transaction.commit() : [];
  transaction.release();
  return changes instanceof Failure ? changes : { ...OK, changes };
}

function getDomainPath({ payload }: Request): Outcome<Answer> {
  const domid = soleNumber(payload);
  return domid === undefined ? EINVAL : { payload: nulTerminated([domainPath(domid)]) };
}

function isDomainIntroduced({ payload, introduced }: Request): Outcome<Answer> {
  const domid = soleNumber(payload);
  return domid === undefined ? EINVAL : { payload: nulTerminated([introduced.has(domid) ? "T" : "F"]) };
}

/** A domain id as [XENSTORE] writes it: decimal, 0..65535. */
function soleNumber(payload: Uint8Array): number | undefined {
  const text = soleString(payload);
  const value = text !== undefined && /^[0-9]{1,5}$/.test(text) ? Number(text) : undefined;
  return value === undefined || value > 0xffff ? undefined : value;
}
