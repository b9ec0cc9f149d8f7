/** Comlink by itself carries an error's text alone: with this it carries ours whole, in both directions. Once a thread. */
import { transferHandlers } from "comlink";
import type { TransferHandler } from "comlink";
import { fromRecord, toRecord } from "../shared/errors.js";
import type { ErrorRecord } from "../shared/errors.js";

interface Thrown {
  readonly value: unknown;
}

/** Takes the place of Comlink's own handler for what a call throws. */
export function carryErrors(): void {
  const original = transferHandlers.get("throw");
  if (original === undefined) throw new Error("Comlink has no handler for errors to replace");
  const handler: TransferHandler<Thrown, ErrorRecord> = {
    canHandle: (value): value is Thrown => original.canHandle(value),
    serialize: ({ value }) => [toRecord(value), []],
    deserialize(record): never {
      throw fromRecord(record);
    },
  };
  transferHandlers.set("throw", handler);
}
