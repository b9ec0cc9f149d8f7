/**
 * `isa-debug-exit`: a port by which test kernels end the machine with an exit code.
 *
 * Code `value << 1 | 1`: never 0, so that a test cannot look as if the guest had powered off.
 */
import { port } from "../shared/brand.js";
import type { AccessSize, Device, IoHandler, PortRange } from "../shared/io.js";

export interface DebugExitHost {
  /** Ends the machine. `code` is 0..255, as a process can give it. */
  exit(code: number): void;
}

export class DebugExit implements Device, IoHandler {
  readonly name = "isa-debug-exit";
  readonly ports: readonly PortRange[];
  readonly #host: DebugExitHost;

  constructor({ iobase, iosize }: { readonly iobase: number; readonly iosize: number }, host: DebugExitHost) {
    this.#host = host;
    this.ports = [{ base: port(iobase), length: iosize, handler: this }];
  }

  reset(): void {
    // It has no state.
  }

  read(): number {
    return 0;
  }

  write(_offset: number, _size: AccessSize, value: number): void {
    this.#host.exit(((value << 1) | 1) & 0xff);
  }
}
