/**
 * A dialogue over a serial port, as expect(1) leads it: wait for words, answer, wait again.
 *
 * What a wait has matched is behind it: the next one sees only what came after.
 */

/** What the other side said when it was to say something else. */
export class DialogueError extends Error {
  override readonly name = "DialogueError";
}

interface Waiting {
  readonly pattern: RegExp;
  readonly resolve: (match: RegExpExecArray) => void;
  readonly reject: (cause: Error) => void;
}

/** How much an error repeats of what was said, in characters. */
const ERROR_TAIL = 8000;
/** What terminals obey and nobody reads, and which would cut words apart: control sequences, character sets, single escapes. */
const UNSEEN = /\r|\u001b(?:\[[0-?]*[ -/]*[@-~]|[()#]\w|[=>78cDEHMZ])/g;
/** The beginning of one, at the end of what has come. */
const CUT_SHORT = /\u001b(?:\[[0-?]*[ -/]*|[()#])?$/;

export class SerialDialogue {
  readonly #write: (data: Uint8Array) => void;
  /** Everything so far, as a reader sees it. */
  #said = "";
  /** The beginning of an escape sequence whose end has not come. */
  #cut = "";
  /** Up to where in `said` waits have matched. */
  #seen = 0;
  #waiting: Waiting | undefined;
  #ended: string | undefined;

  constructor(write: (data: Uint8Array) => void) {
    this.#write = write;
  }

  /** All that was said, as a reader of a terminal without colours and cursor sees it. */
  get transcript(): string {
    return this.#said;
  }

  /** To be called with what the other side says. */
  hear(data: Uint8Array): void {
    const text = this.#cut + Buffer.from(data).toString("latin1");
    this.#cut = CUT_SHORT.exec(text)?.[0] ?? "";
    this.#said += text.slice(0, text.length - this.#cut.length).replace(UNSEEN, "");
    this.#look();
  }

  /** To be called when the other side will say nothing more: whoever waits, or will, is told why. */
  end(reason: string): void {
    this.#ended = reason;
    this.#look();
  }

  say(text: string): void {
    this.#write(Buffer.from(text, "latin1"));
  }

  /**
   * Waits for words, behind those that were waited for before.
   *
   * @throws DialogueError when they have not come after `timeoutMs`, or cannot come any more
   */
  async expect(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    let limit: NodeJS.Timeout | undefined;
    try {
      return await new Promise<RegExpExecArray>((resolve, reject) => {
        this.#waiting = { pattern, resolve, reject };
        limit = setTimeout(() => {
          this.#giveUp(`not after ${timeoutMs} ms`);
        }, timeoutMs);
        this.#look();
      });
    } finally {
      clearTimeout(limit);
      this.#waiting = undefined;
    }
  }

  /** A line typed at a shell's prompt, and what it prints up to the next prompt. */
  async command(line: string, prompt: RegExp, timeoutMs: number): Promise<string> {
    this.say(`${line}\n`);
    await this.expect(/\n/, timeoutMs);
    const from = this.#seen;
    const match = await this.expect(prompt, timeoutMs);
    return this.#said.slice(from, this.#seen - match[0].length);
  }

  #look(): void {
    if (this.#waiting === undefined) return;
    const match = this.#waiting.pattern.exec(this.#said.slice(this.#seen));
    if (match !== null) {
      this.#seen += match.index + match[0].length;
      this.#waiting.resolve(match);
    } else if (this.#ended !== undefined) {
      this.#giveUp(this.#ended);
    }
  }

  #giveUp(why: string): void {
    const tail = this.#said.slice(this.#seen).slice(-ERROR_TAIL);
    this.#waiting?.reject(
      new DialogueError(`${String(this.#waiting.pattern)}: ${why}. What was said since the last match:\n${tail}`),
    );
  }
}
