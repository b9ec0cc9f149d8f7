/** The cable of a card that is plugged into nothing: what goes out is lost, and nothing comes. */
import type { HostWire } from "./host-wire.js";

export class IdleWire implements HostWire {
  readonly header = false;
  readonly full = false;
  readonly closed = undefined;

  send(): void {
    // Lost.
  }

  arriving(): number {
    return 0;
  }

  receive(): boolean {
    return true;
  }

  setOffloads(): void {
    // Nothing comes that could be without a checksum.
  }

  discard(): void {
    // There is nothing.
  }

  flush(): void {
    // Nothing is ever left.
  }

  lookForEnd(): void {
    // There is none.
  }
}
