/**
 * Text of a guest's for the terminal that the operator works at: ends of lines and tabs stay, carriage returns go, and all
 * other control characters are shown escaped (`\x1b`), so that a guest cannot drive the terminal or hide what it has said.
 */

/** C0 but for tab and newline, C1, and the line separators of Unicode. */
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g;

export class GuestText {
  /** A character may come in two pieces. */
  readonly #decoder = new TextDecoder();
  readonly #encoder = new TextEncoder();

  /** What to show of `bytes`, UTF-8, the next of its stream; bytes that are none become U+FFFD. */
  show(bytes: Uint8Array): Uint8Array {
    const text = this.#decoder.decode(bytes, { stream: true }).replaceAll("\r", "");
    return this.#encoder.encode(text.replace(CONTROLS, escaped));
  }
}

function escaped(control: string): string {
  return `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
