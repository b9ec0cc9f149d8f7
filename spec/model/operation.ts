/** What a thread of a model does in one step, and what it may see of it. */
import type { Cell } from "./memory.js";

export type Result = number | string | boolean;

/** A result of {@link Operation.run}: the thread sleeps on `cell` until another wakes it. */
export interface Asleep {
  readonly sleepsOn: Cell;
}

export interface Operation {
  /** For the trace of a finding. */
  readonly label: string;
  /** Nobody else can tell when it happens, as with words under a lock that is held: done together with the step before. */
  readonly quiet?: boolean;
  /** It does no more than look at this word: no step where no other thread ever writes it. */
  readonly reads?: Cell;
  /** Plain stores and loads pass stores of the same thread that wait in its store buffer; all others wait until it is empty. */
  readonly passesStores?: boolean;
  /** False while the thread is blocked. */
  enabled?(): boolean;
  run(): Result | Asleep;
  /** After such a result the same operation again, at once, would give the same: a spin, which is no step. */
  fruitless?(result: Result): boolean;
}

/** A plain store that other processors do not see yet. */
export interface BufferedStore {
  readonly cell: Cell;
  readonly value: number;
}
