/** What a block ring has done since it was made, as flat numbers for metrics. */
import { BlockOp } from "../block-backend.js";
import type { BlockRequest } from "../block-backend.js";

export class BlkifCounters {
  reads = 0;
  writes = 0;
  flushes = 0;
  discards = 0;
  /** Responses other than OKAY. */
  errors = 0;
  bytesRead = 0;
  bytesWritten = 0;

  /** Counts an operation as it is submitted to the storage. */
  submitted(request: BlockRequest): void {
    switch (request.op) {
      case BlockOp.read:
        this.reads++;
        this.bytesRead += request.length;
        break;
      case BlockOp.write:
        this.writes++;
        this.bytesWritten += request.length;
        break;
      case BlockOp.flush:
        this.flushes++;
        break;
      case BlockOp.discard:
        this.discards++;
        break;
      case BlockOp.writeZeroes:
        // Not in this protocol.
        break;
      default:
        request.op satisfies never;
    }
  }
}
