/**
 * What the self-test guest says on its console, in the Test Anything Protocol.
 *
 * [TAP] TAP version 13: plan "1..N", "ok N - name", "not ok N - name # detail", "ok N - name # SKIP why", "# comment"
 */

export type TapEvent =
  | { readonly kind: "plan"; readonly count: number }
  | {
      readonly kind: "check";
      readonly number: number;
      readonly name: string;
      readonly verdict: Verdict;
      readonly detail: string;
    }
  | { readonly kind: "comment"; readonly text: string }
  /** [TAP] "Bail out! why": the guest cannot go on. */
  | { readonly kind: "bail"; readonly text: string };

export type Verdict = "passed" | "failed" | "skipped";

/** Lines that are longer are cut: the guest could send one without end. */
const MAX_LINE = 1024;

/** Turns bytes into events, line by line. What is no TAP is a comment. */
export class TapReader {
  readonly #onEvent: (event: TapEvent) => void;
  #line = "";

  constructor(onEvent: (event: TapEvent) => void) {
    this.#onEvent = onEvent;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x0a) this.end();
      else if (byte !== 0x0d && this.#line.length < MAX_LINE) this.#line += String.fromCharCode(byte);
    }
  }

  /** Takes what there is of a last line that was not ended. */
  end(): void {
    const line = this.#line;
    this.#line = "";
    if (line !== "") this.#onEvent(parseLine(line));
  }
}

function parseLine(line: string): TapEvent {
  const plan = /^1\.\.([0-9]{1,6})\b/.exec(line);
  if (plan !== null) return { kind: "plan", count: Number(plan[1]) };
  const check = /^(not )?ok ([0-9]{1,6})(?: +-? *(.*))?$/.exec(line);
  if (check !== null) return checkEvent(check[1] !== undefined, Number(check[2]), check[3] ?? "");
  const bail = /^Bail out! *(.*)$/.exec(line);
  if (bail !== null) return { kind: "bail", text: bail[1] ?? "" };
  return { kind: "comment", text: line.replace(/^# ?/, "") };
}

function checkEvent(failed: boolean, number: number, rest: string): TapEvent {
  const [, name = "", directive = ""] = /^(.*?)(?:(?:^|\s+)#\s*(.*))?$/.exec(rest) ?? [];
  const skip = /^skip\b:?\s*(.*)$/i.exec(directive);
  if (skip !== null && !failed) return { kind: "check", number, name, verdict: "skipped", detail: skip[1] ?? "" };
  return { kind: "check", number, name, verdict: failed ? "failed" : "passed", detail: directive };
}

/** Counts verdicts and says whether all that was planned has come. */
export class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;
  #planned: number | undefined;
  #bailed = false;
  readonly #seen = new Set<number>();

  count(event: TapEvent): void {
    switch (event.kind) {
      case "plan":
        this.#planned = event.count;
        return;
      case "check":
        this.#seen.add(event.number);
        this[event.verdict] += 1;
        return;
      case "bail":
        this.#bailed = true;
        return;
      case "comment":
    }
  }

  /** Why the run proves nothing although no check failed; undefined when it is complete. */
  get gap(): string | undefined {
    if (this.#bailed) return "the guest gave up";
    if (this.#planned === undefined) return "the guest ended without saying how many checks there are";
    if (this.#planned === 0) return "there was not one check";
    for (let number = 1; number <= this.#planned; number++) {
      if (!this.#seen.has(number)) return `check ${number} of ${this.#planned} never came`;
    }
    return undefined;
  }
}
