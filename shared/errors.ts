/**
 * Errors that somebody outside our code must act on, and their way across threads.
 *
 * A guest's mistake is a value, a host's failure is a VmmError, a broken invariant is a plain Error that ends the machine.
 */

/** What went wrong, as a closed set: tests and callers match on this, never on text. */
export type VmmErrorCode =
  /** The configuration is wrong: an option, or a file that it names. */
  | "CONFIG"
  /** The host lacks something that this machine needs. */
  | "HOST_UNSUPPORTED"
  /** A system call of the host failed. */
  | "HOST_SYSCALL"
  /** The guest cannot go on: triple fault, KVM internal error, crash shutdown. */
  | "GUEST_CRASHED"
  /** A thread of ours died. */
  | "ACTOR_FAILED"
  /** The call does not fit the machine's state. */
  | "STATE";

export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

export class VmmError extends Error {
  override name = "VmmError";
  readonly code: VmmErrorCode;
  /** Numbers and strings only, so that they clone. */
  readonly details: ErrorDetails;

  constructor(code: VmmErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/** An error as plain data. Structured clone strips subclasses and own fields, so errors cross threads only in this form. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code: VmmErrorCode | undefined;
  readonly details: ErrorDetails;
  readonly cause: ErrorRecord | undefined;
}

/** Depth to which chains of causes are kept. */
const MAX_CAUSES = 8;

export function toRecord(error: unknown, depth = 0): ErrorRecord {
  const known = error instanceof Error ? error : new Error(String(error));
  const vmm = known instanceof VmmError ? known : undefined;
  return {
    name: known.name,
    message: known.message,
    stack: known.stack ?? `${known.name}: ${known.message}`,
    code: vmm?.code,
    details: vmm?.details ?? {},
    cause: known.cause === undefined || depth >= MAX_CAUSES ? undefined : toRecord(known.cause, depth + 1),
  };
}

export function fromRecord(record: ErrorRecord): Error {
  const options = record.cause === undefined ? undefined : { cause: fromRecord(record.cause) };
  const error =
    record.code === undefined
      ? new Error(record.message, options)
      : new VmmError(record.code, record.message, record.details, options);
  if (record.code === undefined) error.name = record.name;
  error.stack = record.stack;
  return error;
}

/** Ends a switch over a closed union: a new member breaks the build here. */
export function unreachable(value: never): never {
  throw new Error(`Unreachable: ${JSON.stringify(value)}`);
}
