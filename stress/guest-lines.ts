/** What the stress guest says on its console, line by line: guests/stress/main.c. */

export type GuestLine =
  /** The guest has set everything up and starts its rounds. */
  | { readonly kind: "begin"; readonly vcpus: number; readonly channels: string }
  /** So far, since this begin. */
  | { readonly kind: "beat"; readonly counts: ReadonlyMap<string, GuestCount> }
  | { readonly kind: "fail"; readonly from: string; readonly text: string }
  /** It has read the host's word of this number. */
  | { readonly kind: "heard"; readonly number: number }
  /** It has read the balloon's target, in KiB. */
  | { readonly kind: "target"; readonly kib: number }
  /** What the host must find on a disk: see stress/disk-image.ts. */
  | { readonly kind: "sum"; readonly disk: number; readonly sum: number }
  | { readonly kind: "end"; readonly passed: boolean }
  /** Anything else: for people. */
  | { readonly kind: "note"; readonly text: string };

export interface GuestCount {
  readonly events: number;
  readonly operations: number;
  /** Longest time from an event's cause to its being taken, in microseconds of the guest's time. */
  readonly longestUs: number;
}

/** Longer lines are cut: a guest that has lost its way could send one without end. */
const MAX_LINE = 1024;

/** Turns bytes into lines. */
export class GuestLineReader {
  readonly #onLine: (line: GuestLine) => void;
  #line = "";

  constructor(onLine: (line: GuestLine) => void) {
    this.#onLine = onLine;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x0a) this.#finish();
      else if (byte !== 0x0d && this.#line.length < MAX_LINE) this.#line += String.fromCharCode(byte);
    }
  }

  #finish(): void {
    const line = this.#line;
    this.#line = "";
    this.#onLine(parseGuestLine(line));
  }
}

export function parseGuestLine(text: string): GuestLine {
  // A reset cuts a line short, and the first of the guest's next life follows it.
  const begin = text.lastIndexOf("begin cpus=");
  const line = begin > 0 ? text.slice(begin) : text;
  const [word = "", ...rest] = line.split(" ");
  switch (word) {
    case "begin":
      return { kind: "begin", vcpus: Number(valueOf(rest, "cpus")), channels: valueOf(rest, "channels") };
    case "beat":
      return { kind: "beat", counts: new Map(rest.slice(1).flatMap(countOf)) };
    case "fail":
      return { kind: "fail", from: rest[0] ?? "guest", text: rest.slice(1).join(" ") };
    case "heard":
      return { kind: "heard", number: Number(rest[0]) };
    case "target":
      return { kind: "target", kib: Number(rest[0]) };
    case "sum":
      return { kind: "sum", disk: Number(rest[0]), sum: Number(rest[1]) };
    case "end":
      return { kind: "end", passed: rest[0] === "passed" };
    default:
      return { kind: "note", text: line };
  }
}

function valueOf(words: readonly string[], name: string): string {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

/** NAME=EVENTS/OPERATIONS/LONGEST */
function countOf(word: string): readonly (readonly [string, GuestCount])[] {
  const match = /^([a-z]+)=([0-9]+)\/([0-9]+)\/([0-9]+)$/.exec(word);
  const [, name = "", events, operations, longestUs] = match ?? [];
  if (match === null) return [];
  return [[name, { events: Number(events), operations: Number(operations), longestUs: Number(longestUs) }]];
}
