/**
 * The terminal that we were started on: raw while a guest uses it, and as it was at every way out.
 *
 * Raw mode keeps output processing on (libuv sets ONLCR), so that a line feed still starts a line.
 */

/** A readable stream such as `process.stdin`. */
export interface TerminalInput {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  pause(): unknown;
  resume(): unknown;
  unref?(): unknown;
}

/** A writable stream such as `process.stdout`. */
export interface TerminalOutput {
  write(bytes: Uint8Array): boolean;
  once(event: "drain", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** Keys that a terminal in its usual mode turns into signals. */
const SIGNAL_KEYS: ReadonlyMap<number, NodeJS.Signals> = new Map([
  [0x03, "SIGINT"],
  [0x1c, "SIGQUIT"],
  [0x1a, "SIGTSTP"],
]);

export interface TerminalOptions {
  readonly input: TerminalInput;
  readonly output: TerminalOutput;
  /** Called for each of Ctrl-C, Ctrl-\ and Ctrl-Z; these go to the guest when it is absent. */
  readonly signal?: (signal: NodeJS.Signals) => void;
}

export class Terminal {
  readonly #input: TerminalInput;
  readonly #output: TerminalOutput;
  readonly #signal: ((signal: NodeJS.Signals) => void) | undefined;
  #raw = false;
  /** Nobody reads the other end any more: output is dropped, the guest goes on. */
  #outputClosed = false;
  /** Settles when the output takes bytes again, or never will. */
  #drained: Promise<void> | undefined;
  #settle: (() => void) | undefined;

  constructor(options: TerminalOptions) {
    this.#input = options.input;
    this.#output = options.output;
    this.#signal = options.signal;
    // EPIPE, and EIO of a terminal that hung up.
    this.#output.on("error", () => {
      this.#outputClosed = true;
      this.#settle?.();
    });
    this.#input.on("error", () => {
      this.#input.pause();
    });
  }

  /** Starts to read keys. */
  open(onInput: (bytes: Uint8Array) => void): void {
    this.raw();
    this.#input.on("data", (chunk) => {
      const bytes = this.#raw && this.#signal !== undefined ? this.#withoutSignalKeys(chunk, this.#signal) : chunk;
      if (bytes.length > 0) onInput(bytes);
    });
    // Input alone must not keep the process alive once the machine has ended.
    this.#input.unref?.();
  }

  /** Every key counts at once and none is echoed; nothing changes when input is a file or a pipe. */
  raw(): void {
    if (this.#input.isTTY !== true) return;
    this.#input.setRawMode?.(true);
    this.#raw = true;
  }

  /** Puts the terminal back. May be called at any time, any number of times. */
  restore(): void {
    if (!this.#raw) return;
    this.#raw = false;
    try {
      this.#input.setRawMode?.(false);
    } catch {
      // The terminal is gone, and with it what there was to restore.
    }
  }

  /** Lets go of the input. */
  close(): void {
    this.restore();
    this.#input.pause();
  }

  holdInput(): void {
    this.#input.pause();
  }

  releaseInput(): void {
    this.#input.resume();
  }

  /** Writes `bytes`; the promise, if there is one, resolves when the terminal can take more. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#outputClosed || this.#output.write(bytes)) return undefined;
    this.#drained ??= new Promise((resolve) => {
      this.#settle = () => {
        this.#drained = undefined;
        this.#settle = undefined;
        resolve();
      };
      this.#output.once("drain", this.#settle);
    });
    return this.#drained;
  }

  #withoutSignalKeys(chunk: Uint8Array, signal: (signal: NodeJS.Signals) => void): Uint8Array {
    if (!chunk.some((byte) => SIGNAL_KEYS.has(byte))) return chunk;
    return chunk.filter((byte) => {
      const name = SIGNAL_KEYS.get(byte);
      if (name !== undefined) signal(name);
      return name === undefined;
    });
  }
}
