/**
 * How much of the store one guest may use. Dom0 is not limited.
 *
 * [XENSTORED] xen.git tools/xenstored/core.c, the quotas' defaults
 */

export const Quota = {
  /** Nodes that one domain owns, [XENSTORED]. */
  entries: 1000,
  /** Bytes of a node's value and of its children's names together, [XENSTORED]. */
  entrySize: 2048,
  /** Permission entries of one node, [XENSTORED]. */
  permissions: 5,
  /** Watches of one connection, [XENSTORED]. */
  watches: 128,
  /** Open transactions of one connection, [XENSTORED]. */
  transactions: 10,
  /** Nodes that one transaction may look at or change, [XENSTORED]. */
  transactionNodes: 1024,
  /** Replies that a client may leave unread before we stop taking its requests, [XENSTORED]. */
  outstanding: 20,
  /** Bytes that all open transactions of one connection may hold: the memory quota of [XENSTORED], 2.5 MiB. */
  transactionBytes: 2_621_440,
  /** Bytes of watch events that wait for one client; further events are dropped until it reads. */
  eventBytes: 1_048_576,
} as const;

/** A number of bytes that several holders draw on. */
export class Budget {
  readonly #limit: number;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Draws `bytes` (gives them back when negative); false, and nothing drawn, when too few are left. */
  draw(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }
}
