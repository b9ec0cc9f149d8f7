/** The guests that time port accesses, set up for one run: guests/bench/port-loop.h has their parameters and their report. */
import { BenchError } from "./errors.js";

export interface PortLoop {
  readonly iterations: number;
  readonly port: number;
  /** "none": the guest ends with its first instructions. */
  readonly direction: "out" | "in" | "none";
}

const MAGIC = "XLBENCH1";
const ITERATIONS = 8;
const PORT = 12;
const DIRECTION = 14;
const DIRECTIONS = { out: 0, in: 1, none: 2 } as const;

/** The exit code of the VMM when such a guest has ended: isa-debug-exit's for the value 0. */
export const PORT_LOOP_EXIT = 1;

/** A copy of the image with these parameters. @throws RangeError when it is no image of ours */
export function portImage(image: Buffer, loop: PortLoop): Buffer {
  const at = image.indexOf(MAGIC);
  if (at < 0) throw new RangeError(`Not an image of the port loop: it does not have ${MAGIC}`);
  const copy = Buffer.from(image);
  copy.writeUInt32LE(loop.iterations, at + ITERATIONS);
  copy.writeUInt16LE(loop.port, at + PORT);
  copy.writeUInt8(DIRECTIONS[loop.direction], at + DIRECTION);
  return copy;
}

/** TSC cycles that the loop took, of what it wrote to the debug console. @throws BenchError when that is no report */
export function reportedCycles(output: string): number {
  const digits = /^([0-9a-f]{16})\r?\n$/.exec(output)?.[1];
  if (digits === undefined) throw new BenchError(`Not a report of the port loop: ${JSON.stringify(output)}`);
  return Number.parseInt(digits, 16);
}
