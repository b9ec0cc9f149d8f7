/**
 * One client that talks to the store by messages: its open transactions, its watches and what waits for it.
 *
 * [XENSTORE] xen.git docs/misc/xenstore.txt
 */
import type { DomId } from "../../shared/brand.js";
import { Outbox } from "./outbox.js";
import type { OutboxState } from "./outbox.js";
import { DOM0 } from "./permissions.js";
import { Budget, Quota } from "./quotas.js";
import { Transaction } from "./transaction.js";
import type { Tree } from "./tree.js";
import type { Watch, Watcher, WatchTable } from "./watches.js";
import { Failure } from "./wire.js";
import type { Message, Outcome } from "./wire.js";

/** What a connection needs from the store. */
export interface ConnectionHost {
  readonly watches: WatchTable;
  /** The store as it is now. */
  tree(): Tree;
  /** Carries out one request and replies to it. */
  serve(connection: Connection, message: Message): void;
  /** The connection has something to send. */
  outputReady(connection: Connection): void;
}

/** Called from `XenStore.dispatch()` when messages wait in the connection's outbox. */
export interface ConnectionSink {
  flush(): void;
}

export interface ConnectionState {
  readonly watches: readonly Watch[];
  readonly transactions: readonly number[];
  readonly nextTransaction: number;
  readonly outbox: OutboxState;
}

export class Connection implements Watcher {
  readonly domid: DomId;
  readonly outbox = new Outbox();
  readonly sink: ConnectionSink;
  readonly #host: ConnectionHost;
  readonly #transactions = new Map<number, Transaction>();
  readonly #budget: Budget;
  #nextTransaction = 1;

  constructor(domid: DomId, sink: ConnectionSink, host: ConnectionHost) {
    this.domid = domid;
    this.sink = sink;
    this.#host = host;
    this.#budget = new Budget(domid === DOM0 ? Infinity : Quota.transactionBytes);
  }

  /** Serves one request. The reply, and the events that the request causes, wait in the outbox afterwards. */
  receive(message: Message): void {
    this.#host.serve(this, message);
  }

  reply(message: Message): void {
    this.outbox.reply(message);
    this.#host.outputReady(this);
  }

  notice(watch: Watch, path: string): void {
    this.outbox.event(path, watch.token);
    this.#host.outputReady(this);
  }

  transaction(id: number): Transaction | undefined {
    return this.#transactions.get(id);
  }

  startTransaction(): Outcome<number> {
    if (this.domid !== DOM0 && this.#transactions.size >= Quota.transactions) return new Failure("ENOSPC");
    // Ids come round after 2^32 transactions; 0 means none.
    while (this.#nextTransaction === 0 || this.#transactions.has(this.#nextTransaction)) this.#advance();
    const id = this.#nextTransaction;
    this.#advance();
    this.#transactions.set(id, new Transaction(this.domid, this.#host.tree(), this.#budget));
    return id;
  }

  /** Forgets a transaction, which the caller may still commit. */
  endTransaction(id: number): Transaction | undefined {
    const transaction = this.#transactions.get(id);
    this.#transactions.delete(id);
    return transaction;
  }

  /** RESET_WATCHES: no watches and no transactions any more. Events that wait are still delivered. */
  resetWatches(): void {
    this.#host.watches.removeAll(this);
    for (const transaction of this.#transactions.values()) transaction.release();
    this.#transactions.clear();
  }

  /** As if just made: what waits is dropped too. */
  reset(): void {
    this.resetWatches();
    this.outbox.clear();
    this.#nextTransaction = 1;
  }

  save(): ConnectionState {
    return {
      watches: this.#host.watches.of(this),
      transactions: [...this.#transactions.keys()],
      nextTransaction: this.#nextTransaction,
      outbox: this.outbox.save(),
    };
  }

  /** Open transactions come back stale: their commit answers EAGAIN, which every client must expect and repeat. */
  restore(state: ConnectionState): void {
    this.reset();
    for (const watch of state.watches) this.#host.watches.add(this, watch);
    for (const id of state.transactions) {
      this.#transactions.set(id, new Transaction(this.domid, this.#host.tree(), this.#budget, true));
    }
    this.#nextTransaction = state.nextTransaction;
    this.outbox.restore(state.outbox);
    if (!this.outbox.empty) this.#host.outputReady(this);
  }

  #advance(): void {
    this.#nextTransaction = (this.#nextTransaction + 1) >>> 0;
  }
}
