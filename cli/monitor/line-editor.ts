/** Lines out of raw bytes: echo, backspace, and the arrow keys for earlier lines. */

export interface LineEditorHost {
  echo(text: string): void;
  line(text: string): void;
}

/** Nobody types more; a hostile client of a monitor socket might. */
const MAX_LINE = 4096;
const MAX_HISTORY = 100;

const CTRL_C = 0x03;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const CTRL_U = 0x15;
const ESC = 0x1b;
const DELETE = 0x7f;

export class LineEditor {
  readonly #host: LineEditorHost;
  readonly #history: string[] = [];
  /** Index into the history of the line that is shown; its length stands for the new line. */
  #historyAt = 0;
  #line = "";
  /** What came of a control sequence: "" outside of one. */
  #sequence = "";
  #lastWasReturn = false;

  constructor(host: LineEditorHost) {
    this.#host = host;
  }

  /** What has been typed of the line that is not complete. */
  get text(): string {
    return this.#line;
  }

  input(bytes: Uint8Array): void {
    for (const byte of bytes) this.#key(byte);
  }

  #key(byte: number): void {
    const afterReturn = this.#lastWasReturn;
    this.#lastWasReturn = byte === CARRIAGE_RETURN;
    if (this.#sequence !== "") {
      this.#continueSequence(byte);
      return;
    }
    switch (byte) {
      case LINE_FEED:
        // A network client ends its lines with both.
        if (!afterReturn) this.#enter();
        return;
      case CARRIAGE_RETURN:
        this.#enter();
        return;
      case BACKSPACE:
      case DELETE:
        if (this.#line.length > 0) this.#replace(this.#line.slice(0, -1));
        return;
      case CTRL_C:
      case CTRL_U:
        this.#replace("");
        return;
      case ESC:
        this.#sequence = "\x1b";
        return;
      default:
        this.#type(byte);
    }
  }

  #type(byte: number): void {
    if (byte < 0x20 || byte > 0x7e || this.#line.length >= MAX_LINE) return;
    const character = String.fromCharCode(byte);
    this.#line += character;
    this.#host.echo(character);
  }

  #enter(): void {
    const line = this.#line;
    this.#line = "";
    this.#host.echo("\n");
    if (line.trim() !== "" && line !== this.#history.at(-1)) this.#history.push(line);
    if (this.#history.length > MAX_HISTORY) this.#history.shift();
    this.#historyAt = this.#history.length;
    this.#host.line(line);
  }

  /** Arrows up and down are ESC [ A and ESC [ B; other sequences end at their final byte and do nothing. */
  #continueSequence(byte: number): void {
    this.#sequence += String.fromCharCode(byte);
    const complete = this.#sequence.length > 2 ? byte >= 0x40 && byte <= 0x7e : byte !== 0x5b;
    if (!complete && this.#sequence.length < 8) return;
    const sequence = this.#sequence;
    this.#sequence = "";
    if (sequence === "\x1b[A") this.#recall(this.#historyAt - 1);
    else if (sequence === "\x1b[B") this.#recall(this.#historyAt + 1);
  }

  #recall(at: number): void {
    if (at < 0 || at > this.#history.length) return;
    this.#historyAt = at;
    this.#replace(this.#history[at] ?? "");
  }

  #replace(line: string): void {
    this.#host.echo("\b \b".repeat(this.#line.length) + line);
    this.#line = line;
  }
}
