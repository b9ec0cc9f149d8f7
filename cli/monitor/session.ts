/** A person or a program at the monitor: a prompt, lines, answers in order. */
import { execute } from "./commands.js";
import type { MonitorHost } from "./command.js";
import { LineEditor } from "./line-editor.js";

const PROMPT = "(xenolith) ";

/** Lines that may wait for their answers; a client that sends more without reading has them dropped. */
const MAX_WAITING = 256;

export interface MonitorOutput {
  write(text: string): void;
}

export class MonitorSession {
  readonly #host: MonitorHost;
  readonly #output: MonitorOutput;
  readonly #editor: LineEditor;
  /** Lines are answered one after the other: `cont` after `stop` must not overtake it. */
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #greeted = false;

  constructor(host: MonitorHost, output: MonitorOutput) {
    this.#host = host;
    this.#output = output;
    this.#editor = new LineEditor({
      echo: (text) => {
        output.write(text);
      },
      line: (text) => {
        this.#enqueue(text);
      },
    });
  }

  /** Shows the prompt with what has been typed so far, and says hello the first time. */
  prompt(): void {
    if (!this.#greeted) {
      this.#greeted = true;
      this.#output.write(`xenolith ${this.#host.version} monitor - type 'help' for more information\n`);
    }
    this.#output.write(PROMPT + this.#editor.text);
  }

  input(bytes: Uint8Array): void {
    this.#editor.input(bytes);
  }

  /** Resolves when every line entered so far has been answered. */
  async settled(): Promise<void> {
    await this.#last;
  }

  #enqueue(line: string): void {
    if (this.#waiting >= MAX_WAITING) return;
    this.#waiting += 1;
    this.#last = this.#last.then(() => this.#answer(line));
  }

  async #answer(line: string): Promise<void> {
    const answer = await execute(this.#host, line);
    this.#waiting -= 1;
    this.#output.write(answer === "" ? PROMPT : `${answer}\n${PROMPT}`);
  }
}
