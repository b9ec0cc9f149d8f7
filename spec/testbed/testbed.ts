/**
 * A throw-away KVM host with full Xen support (KVM_CAP_XEN_HVM), emulated, with the project at /xenolith.
 *
 *     await using testbed = await Testbed.start();
 *     const { code, stdout } = await testbed.run("node dist/cli/main.js --version");
 *
 * What is put into `testbed.share` on the host is at /share inside, and the other way round. Everything else is lost.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DEFAULT_CPUS, DEFAULT_MEMORY_MIB } from "./arguments.js";
import { projectDirectory } from "./cache.js";
import { CommandTimeout, TestbedError } from "./errors.js";
import { ensureEmulator } from "./emulator.js";
import { ensureImage } from "./image.js";
import type { Log } from "./host-command.js";
import { kernelsDirectory } from "./kernels.js";
import { Machine } from "./machine.js";
import {
  type AgentFrame,
  encodeFrame,
  FrameDecoder,
  type HostFrame,
  MAX_PAYLOAD,
  PROTOCOL_VERSION,
  type StdinSource,
  type WindowSize,
} from "./protocol.js";

export interface TestbedOptions {
  /** Host directory to see at /share, writable. A fresh one, deleted at the end, when absent. */
  readonly share?: string;
  readonly cpus?: number;
  readonly memoryMiB?: number;
  /** How long the machine may take to be ready. */
  readonly bootTimeoutMs?: number;
  /** Gives up on the boot. */
  readonly signal?: AbortSignal;
  /** Is told about builds that take long. */
  readonly log?: Log;
  /** Gets the machine's console output. */
  readonly onConsole?: (data: Uint8Array) => void;
}

export interface RunOptions {
  /** Kill the command after so long, and reject with CommandTimeout. */
  readonly timeoutMs?: number;
  /** Gets output as it comes. `data` is the receiver's to keep. */
  readonly onOutput?: (stream: "stdout" | "stderr", data: Uint8Array) => void;
  /** The command's whole standard input; nothing when absent. */
  readonly input?: string | Uint8Array;
  /** Kills the command; `run` then resolves as for any killed command. */
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** 128 + the signal's number for a killed command, as in a shell. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The same as `stdout`, for output that is no text. */
  readonly stdoutBytes: Uint8Array;
}

/** A command with a terminal of its own inside. */
export interface Terminal {
  readonly exit: Promise<number>;
  write(data: Uint8Array): void;
  resize(window: WindowSize): void;
  kill(): void;
}

interface Channel {
  readonly onOutput: (stream: "stdout" | "stderr", data: Uint8Array) => void;
  readonly resolve: (code: number) => void;
  readonly reject: (cause: Error) => void;
}

const BOOT_TIMEOUT_MS = 180_000;
/** How long the agent may take to report the end of a command that it was told to kill. */
const KILL_GRACE_MS = 15_000;
const POWER_OFF_GRACE_MS = 10_000;
/**
 * Wakes each processor of the machine. An emulated one has been seen to sleep on, with all timers of its kernel and of its
 * guests, as if the interrupt of its own timer had been lost, and to go on at the next interrupt of another kind.
 */
const NUDGE = "for cpu in $(seq 0 $(($(nproc) - 1))); do taskset --cpu-list $cpu true; done";
const NUDGE_EVERY_MS = 10_000;
const NO_WINDOW: WindowSize = { rows: 0, columns: 0 };

export class Testbed implements AsyncDisposable {
  /** Host directory that is /share inside. */
  readonly share: string;
  readonly #machine: Machine;
  readonly #runDirectory: string;
  readonly #decoder = new FrameDecoder();
  readonly #channels = new Map<number, Channel>();
  #nextChannel = 1;
  #nudging: NodeJS.Timeout | undefined;
  /** Why no command can run any more. */
  #failure: TestbedError | undefined;

  private constructor(machine: Machine, runDirectory: string, share: string) {
    this.#machine = machine;
    this.#runDirectory = runDirectory;
    this.share = share;
  }

  /** Boots a machine, after building what is missing in the cache. @throws TestbedError */
  static async start(options: TestbedOptions = {}): Promise<Testbed> {
    const log = options.log ?? (() => undefined);
    const image = await ensureImage(log);
    const emulator = await ensureEmulator(log);
    const kernels = kernelsDirectory();
    await mkdir(kernels, { recursive: true });
    const runDirectory = await mkdtemp(join(tmpdir(), "xenolith-testbed-"));
    const share = options.share === undefined ? join(runDirectory, "share") : resolve(options.share);
    let machine: Machine | undefined;
    try {
      await mkdir(share, { recursive: true });
      machine = await Machine.start({
        image,
        emulator,
        runDirectory,
        shares: [
          { at: "xenolith", directory: await projectDirectory(), access: "cow" },
          { at: "share", directory: share, access: "rw" },
          { at: "kernels", directory: kernels, access: "ro" },
        ],
        cpus: options.cpus ?? DEFAULT_CPUS,
        memoryMiB: options.memoryMiB ?? DEFAULT_MEMORY_MIB,
        ...(options.onConsole !== undefined && { onConsole: options.onConsole }),
      });
      const testbed = new Testbed(machine, runDirectory, share);
      await testbed.#boot(options.bootTimeoutMs ?? BOOT_TIMEOUT_MS, options.signal);
      testbed.#nudging = setInterval(() => {
        // Who waits for a command hears of what is wrong with the machine
        void testbed.run(NUDGE).catch(() => undefined);
      }, NUDGE_EVERY_MS);
      return testbed;
    } catch (cause) {
      await machine?.kill();
      await rm(runDirectory, { recursive: true, force: true });
      throw cause;
    }
  }

  /**
   * Runs a shell command line in /xenolith and waits for its end. Several may run at once. Processes that it leaves behind are killed.
   *
   * @throws CommandTimeout, and TestbedError when the machine dies
   */
  async run(command: string, options: RunOptions = {}): Promise<RunResult> {
    const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
    const { channel, exit } = this.#open(
      command,
      options.input === undefined ? "null" : "pipe",
      NO_WINDOW,
      (stream, data) => {
        output[stream].push(data);
        options.onOutput?.(stream, data);
      },
    );
    if (options.input !== undefined) this.#sendInput(channel, options.input);
    const code = await this.#await(exit, channel, options).catch((cause: unknown) => {
      if (cause instanceof KilledForTime) throw new CommandTimeout(`${command}: ${cause.message}`, textOf(output));
      throw cause;
    });
    return { code, ...textOf(output), stdoutBytes: Buffer.concat(output.stdout) };
  }

  /** Runs a shell command line on a terminal inside. */
  terminal(command: string, window: WindowSize, onOutput: (data: Uint8Array) => void): Terminal {
    const { channel, exit } = this.#open(command, "pty", window, (_stream, data) => {
      onOutput(data);
    });
    return {
      exit,
      write: (data) => {
        this.#sendInput(channel, data, { end: false });
      },
      resize: (size) => {
        this.#send({ kind: "resize", channel, window: size });
      },
      kill: () => {
        this.#send({ kind: "kill", channel });
      },
    };
  }

  /** Switches the machine off. Nothing is left of it but what is in a `share` of the caller's. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#nudging);
    if (this.#failure === undefined) {
      this.#fail("the testbed was switched off");
      this.#machine.port.write(encodeFrame({ kind: "power-off" }));
      await Promise.race([this.#machine.ended, after(POWER_OFF_GRACE_MS)]);
    }
    await this.#machine.kill();
    await rm(this.#runDirectory, { recursive: true, force: true });
  }

  /** Waits for the agent. From then on all that it sends goes to the channels. */
  async #boot(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#channels.set(0, {
        onOutput: () => undefined,
        resolve: () => {
          resolve();
        },
        reject,
      });
    });
    const { port } = this.#machine;
    port.on("data", (data: Uint8Array) => {
      this.#receive(data);
    });
    port.on("error", (cause) => {
      this.#fail("its agent's port broke", cause);
    });
    void this.#machine.ended.then(() => {
      this.#fail("its machine ended");
    });
    const limit = setTimeout(() => {
      this.#fail(`not ready after ${timeoutMs} ms`);
    }, timeoutMs);
    const giveUp = (): void => {
      this.#fail("its boot was interrupted");
    };
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted === true) giveUp();
    try {
      await ready;
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener("abort", giveUp);
    }
  }

  #receive(data: Uint8Array): void {
    try {
      for (const frame of this.#decoder.push(data)) this.#dispatch(frame);
    } catch (cause) {
      this.#fail("its agent cannot be understood", cause);
    }
  }

  #dispatch(frame: AgentFrame): void {
    if (frame.kind === "ready") {
      if (frame.version !== PROTOCOL_VERSION) throw new RangeError(`protocol version ${frame.version}`);
      this.#close(0)?.resolve(0);
      return;
    }
    switch (frame.kind) {
      case "output":
        // A copy: the frame is a view of a chunk that holds other commands' bytes, too
        this.#channels.get(frame.channel)?.onOutput(frame.stream, frame.data.slice());
        return;
      case "exit":
        this.#close(frame.channel)?.resolve(frame.code);
        return;
      case "refused":
        this.#close(frame.channel)?.reject(new TestbedError(`The testbed cannot start a command: ${frame.reason}`));
    }
  }

  #close(number: number): Channel | undefined {
    const channel = this.#channels.get(number);
    this.#channels.delete(number);
    return channel;
  }

  #open(
    command: string,
    stdin: StdinSource,
    window: WindowSize,
    onOutput: Channel["onOutput"],
  ): { readonly channel: number; readonly exit: Promise<number> } {
    if (this.#failure !== undefined) throw this.#failure;
    const channel = this.#nextChannel;
    this.#nextChannel += 1;
    const exit = new Promise<number>((resolve, reject) => {
      this.#channels.set(channel, { onOutput, resolve, reject });
    });
    this.#send({ kind: "run", channel, command, stdin, window });
    return { channel, exit };
  }

  /** Waits for a command's end, and sees to it that there is one. */
  async #await(exit: Promise<number>, channel: number, { timeoutMs, signal }: RunOptions): Promise<number> {
    let late: KilledForTime | undefined;
    let grace: NodeJS.Timeout | undefined;
    const kill = (): void => {
      if (grace !== undefined) return;
      this.#send({ kind: "kill", channel });
      grace = setTimeout(() => {
        this.#fail(`it does not answer, ${KILL_GRACE_MS} ms after it was told to kill a command`);
      }, KILL_GRACE_MS);
    };
    const limit =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            late = new KilledForTime(`not finished after ${timeoutMs} ms`);
            kill();
          }, timeoutMs);
    signal?.addEventListener("abort", kill);
    if (signal?.aborted === true) kill();
    try {
      const code = await exit;
      if (late !== undefined) throw late;
      return code;
    } finally {
      clearTimeout(limit);
      clearTimeout(grace);
      signal?.removeEventListener("abort", kill);
    }
  }

  #sendInput(channel: number, input: string | Uint8Array, { end } = { end: true }): void {
    const data = Buffer.from(input);
    for (let at = 0; at < data.length; at += MAX_PAYLOAD) {
      this.#send({ kind: "input", channel, data: data.subarray(at, at + MAX_PAYLOAD) });
    }
    if (end) this.#send({ kind: "input", channel, data: new Uint8Array(0) });
  }

  #send(frame: HostFrame): void {
    if (this.#failure === undefined) this.#machine.port.write(encodeFrame(frame));
  }

  /** Ends everything that waits. The first reason is kept. */
  #fail(reason: string, cause?: unknown): void {
    if (this.#failure !== undefined) return;
    clearInterval(this.#nudging);
    const tail = this.#machine.consoleTail.trim();
    const failure = new TestbedError(
      `The testbed failed: ${reason}${tail === "" ? "" : `\nIts console ended with:\n${tail}`}`,
      { cause },
    );
    this.#failure = failure;
    for (const channel of this.#channels.values()) channel.reject(failure);
    this.#channels.clear();
  }
}

/** Inside `run` only: becomes a CommandTimeout with the output. */
class KilledForTime extends Error {}

function textOf(output: { stdout: Uint8Array[]; stderr: Uint8Array[] }): { stdout: string; stderr: string } {
  return { stdout: Buffer.concat(output.stdout).toString(), stderr: Buffer.concat(output.stderr).toString() };
}

async function after(milliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
