/**
 * Files to boot from, read piece by piece. They are as hostile as a guest: any of them may be truncated, lie about its
 * own sizes or shrink while it is read. Each problem is one line that names the file.
 */
import { VmmError } from "../../shared/errors.js";
import type { GuestMemory } from "../../shared/memory.js";

/** A file, opened. */
export interface ImageSource {
  /** The path as the user gave it, for messages. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Reads up to `target.length` bytes from `offset` and returns how many; 0 at the end of the file. `target` may lie in
   * guest RAM, so that a large initrd is never copied.
   */
  read(offset: number, target: Uint8Array): number;
}

/** What the loaders need from the host. */
export interface ImageFiles {
  /** Opens a regular file. @throws VmmError CONFIG when it is missing, unreadable or something else than a file */
  open(path: string): ImageSource;
}

/** Bytes of one read: below the 2 GiB that a system call moves at most. */
const MAX_READ = 256 * 1024 * 1024;

/** A file whose bytes are in memory already. */
export function imageOf(name: string, bytes: Uint8Array): ImageSource {
  return {
    name,
    size: bytes.length,
    read(offset, target) {
      const part = bytes.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    },
  };
}

/** The error for a file that cannot be booted from: `Cannot boot <name>: <problem>`, on one line. */
export function imageError(image: ImageSource, problem: string): VmmError {
  return new VmmError("CONFIG", `Cannot boot ${printable(image.name)}: ${problem}`, { file: image.name });
}

/** `[offset, offset + length)` of the file. @throws VmmError when the file ends before that */
export function readImage(image: ImageSource, offset: number, length: number, what: string): Uint8Array<ArrayBuffer> {
  checkInside(image, offset, length, what);
  const bytes = new Uint8Array(length);
  fill(image, offset, bytes);
  return bytes;
}

/** The first `length` bytes of the file, or all of it when it is shorter. */
export function readStart(image: ImageSource, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.min(length, image.size));
  fill(image, 0, bytes);
  return bytes;
}

/** A part of a file and the guest-physical address it goes to. */
export interface Transfer {
  readonly offset: number;
  readonly length: number;
  readonly to: number;
  /** Names the part in messages: "segment 2". */
  readonly what: string;
}

/** Reads part of a file straight into guest RAM, where the caller has found it to fit. */
export function loadImage(image: ImageSource, memory: GuestMemory, { offset, length, to, what }: Transfer): void {
  checkInside(image, offset, length, what);
  for (let done = 0; done < length;) {
    const region = memory.regions.find(({ gpa, size }) => to + done >= gpa && to + done < gpa + size);
    if (region === undefined) throw new RangeError(`No guest RAM at 0x${(to + done).toString(16)}`);
    const start = to + done - region.gpa;
    const count = Math.min(length - done, region.size - start, MAX_READ);
    fill(image, offset + done, region.bytes.subarray(start, start + count));
    done += count;
  }
}

/** Hex with its prefix, for messages. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

function checkInside(image: ImageSource, offset: number, length: number, what: string): void {
  if (offset + length <= image.size) return;
  throw imageError(image, `it is truncated: ${what} would end at byte ${offset + length}, the file at ${image.size}`);
}

function fill(image: ImageSource, offset: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const count = image.read(offset + done, done === 0 ? target : target.subarray(done));
    if (!(count > 0)) throw imageError(image, `it ended at byte ${offset + done} while it was read`);
    done += count;
  }
}

/** Control characters of a path would break the line or the terminal. */
function printable(name: string): string {
  return name.replace(/\p{Cc}/gu, "?");
}
