/**
 * Xen's debug port for HVM guests: text written to port 0xe9 is Xen's own log. hvmloader and test kernels print there
 * before they have anything else.
 *
 * [HVMPORT] xen.git xen/arch/x86/hvm/hvm.c, hvm_print_line()
 */
import type { SharedArena } from "../shared/arena.js";
import { port } from "../shared/brand.js";
import { allOnes } from "../shared/io.js";
import type { AccessSize, Device, IoHandler, PortRange } from "../shared/io.js";
import { LineBuffer } from "./line-buffer.js";

export interface XenDebugPortHost {
  /** The guest wrote a line. */
  log(line: string): void;
}

/** [HVMPORT] */
export const XEN_DEBUG_PORT = 0xe9;
/** [HVMPORT] What is neither printable nor one of these is dropped: printable ASCII goes from the blank to the tilde. */
const TAB = 0x09;
const NEWLINE = 0x0a;
const BLANK = 0x20;
const TILDE = 0x7e;

export class XenDebugPort implements Device, IoHandler {
  readonly name = "xen-debug-port";
  readonly ports: readonly PortRange[] = [{ base: port(XEN_DEBUG_PORT), length: 1, handler: this }];
  readonly #host: XenDebugPortHost;
  readonly #line: LineBuffer;

  constructor(arena: SharedArena, host: XenDebugPortHost) {
    this.#host = host;
    this.#line = new LineBuffer(arena);
  }

  /** A line that was not finished is lost, as at the machine's end. */
  reset(): void {
    this.#line.clear();
  }

  /** Xen leaves reads to the device model, which has nothing here. */
  read(_offset: number, size: AccessSize): number {
    return allOnes(size);
  }

  /** Bytes alone are characters. */
  write(_offset: number, size: AccessSize, value: number): void {
    if (size !== 1 || !isText(value)) return;
    const line = this.#line.push(value);
    if (line !== undefined) this.#host.log(line);
  }
}

function isText(value: number): boolean {
  return (value >= BLANK && value <= TILDE) || value === TAB || value === NEWLINE;
}
