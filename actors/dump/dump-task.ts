/**
 * A task of the dump's pool: writes one chunk of guest memory to the file, straight from the shared memory. Pages of
 * zeros are not written, so the file has holes there.
 */
import { writeSync } from "node:fs";
import { dataRuns } from "./data-runs.js";

export interface DumpChunk {
  readonly fd: number;
  readonly buffer: SharedArrayBuffer;
  /** Into the buffer, and how much; multiples of 4 KiB. */
  readonly start: number;
  readonly length: number;
  /** Where it goes in the file. */
  readonly position: number;
}

/** Plain data, as a thrown error would lose its code on the way. */
export type DumpResult =
  | { readonly kind: "written"; readonly bytes: number }
  | { readonly kind: "failed"; readonly errno: string; readonly message: string };

export function writeChunk({ fd, buffer, start, length, position }: DumpChunk): DumpResult {
  let bytes = 0;
  try {
    for (const run of dataRuns(new Int32Array(buffer, start, length / 4))) {
      writeAll(fd, new Uint8Array(buffer, start + run.offset, run.length), position + run.offset);
      bytes += run.length;
    }
    return { kind: "written", bytes };
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    return { kind: "failed", errno: code, message };
  }
}

/** A disk that fills up takes part of a write before it refuses the rest. */
function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
