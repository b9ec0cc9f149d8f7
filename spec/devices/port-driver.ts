/**
 * How device specs speak to ports: as a guest would, by number and width. One driver is a device's own ranges; another
 * could be a machine's bus, or another VMM's test socket, so that the same spec says who is wrong.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SharedArena } from "../../shared/arena.js";
import { allOnes } from "../../shared/io.js";
import type { AccessSize, IoHandler, IrqLine, PortRange } from "../../shared/io.js";

export interface PortDriver {
  in(port: number, size: AccessSize): number;
  out(port: number, size: AccessSize, value: number): void;
}

/** One access and, for `in`, what it gives. */
export type PortStep = readonly [direction: "in" | "out", port: number, size: AccessSize, value: number];

/** Drives the ranges of a device directly. Ports outside of them float high. */
export function driveRanges(ranges: readonly PortRange[]): PortDriver {
  function find(port: number): PortRange | undefined {
    return ranges.find(({ base, length }) => port >= base && port < base + length);
  }
  return {
    in(port, size) {
      const range = find(port);
      return range === undefined ? allOnes(size) : range.handler.read(port - range.base, size) >>> 0;
    },
    out(port, size, value) {
      const range = find(port);
      range?.handler.write(port - range.base, size, value);
    },
  };
}

/** Carries out the steps and compares every `in`. */
export function runSteps(driver: PortDriver, steps: readonly PortStep[]): void {
  steps.forEach(([direction, port, size, value], index) => {
    if (direction === "out") {
      driver.out(port, size, value);
      return;
    }
    const actual = driver.in(port, size);
    const where = `step ${index}: in 0x${port.toString(16)}, ${size} bytes`;
    assert.equal(actual, value, `${where}: 0x${actual.toString(16)} instead of 0x${value.toString(16)}`);
  });
}

/** Shared state for one device under test. */
export function smallArena(): SharedArena {
  return new SharedArena(new SharedArrayBuffer(128 * 1024));
}

/** An interrupt line that remembers. */
export class RecordedLine implements IrqLine {
  level: 0 | 1 = 0;
  /** Times that the line went from 0 to 1. */
  edges = 0;

  set(level: 0 | 1): void {
    if (level === 1 && this.level === 0) this.edges++;
    this.level = level;
  }
}

/** A clock and the one deadline that a device armed. */
export class ManualClock {
  now = 1_000_000_000;
  deadline = Infinity;

  readonly nowNs = (): number => this.now;
  readonly arm = (deadlineNs: number): void => {
    this.deadline = deadlineNs;
  };
}

/** Accesses as hostile guests make them, also past the end of the range. */
export function accesses(length: number): fc.Arbitrary<readonly Access[]> {
  const access = fc.record({
    write: fc.boolean(),
    offset: fc.nat(length + 3),
    size: fc.constantFrom<AccessSize>(1, 2, 4),
    value: fc.oneof(fc.nat(0xff), fc.integer({ min: 0, max: 0xffff_ffff })),
  });
  return fc.array(access, { maxLength: 60 });
}

export interface Access {
  readonly write: boolean;
  readonly offset: number;
  readonly size: AccessSize;
  readonly value: number;
}

/** Checks that no sequence of accesses makes `handler` throw, and that reads are unsigned and fit their width. */
export function assertTakesAnything(handler: IoHandler, length: number, afterEach: () => void = () => undefined): void {
  fc.assert(
    fc.property(accesses(length), (sequence) => {
      for (const { write, offset, size, value } of sequence) {
        if (write) {
          handler.write(offset, size, size === 4 ? value : value % 2 ** (size * 8));
        } else {
          const read = handler.read(offset, size);
          assert.ok(Number.isInteger(read) && read >= 0 && read <= allOnes(size), `read ${read} of ${size} bytes`);
        }
        afterEach();
      }
    }),
    { numRuns: 60 },
  );
}

/** {@link assertTakesAnything} for every range of a device. */
export function assertDeviceTakesAnything(ranges: readonly PortRange[], afterEach?: () => void): void {
  for (const { handler, length } of ranges) assertTakesAnything(handler, length, afterEach);
}
