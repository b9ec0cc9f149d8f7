/**
 * passt, the user-mode network, as a child process at the other end of a socket: it needs no privileges, and ends when
 * our end of the socket is closed, be it that we close it or that we are killed.
 *
 * [PASST] --fd; [QEMU-STREAM] frames on the socket, each after its length in 32 bits, big-endian
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { VmmError } from "../../shared/errors.js";
import { checked, SYS } from "./libc.js";
import type { Libc } from "./libc.js";
import type { Scratch } from "./kvm.js";
import { passtArguments, USER_NETWORK } from "./passt-arguments.js";
import { SOCK_CLOEXEC, SocketType } from "./sockets.js";

const AF_UNIX = 1;
/** <bits/socket.h> */
const MSG_PEEK = 0x2;
const MSG_DONTWAIT = 0x40;
/** How often, and for how long, we look whether it has come up. */
const LOOK_MS = 5;
const PATIENCE_MS = 10_000;
/** How long it has to end when its socket is closed. */
const GRACE_MS = 2000;
/** What of its messages is kept for an error line. */
const MESSAGE_BYTES = 4096;
/** What it says of itself and of its surroundings, not of what is wrong. */
const NOISE = /^Failed to send \d+ bytes to syslog|^Don't run as root|^Started as root|^\s*$/;

export interface PasstOptions {
  readonly hostForwards: readonly string[];
  /** The guest's network card. */
  readonly mac: string;
}

export class Passt {
  /** Our end of the socket. Whoever has it closes it. */
  readonly fd: number;
  /** The child's process id, undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly #libc: Libc;
  readonly #scratch: Scratch;
  readonly #mac: string;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  /** Host address of a byte to look at. */
  readonly #peeked: number;
  #messages = "";
  #failed: VmmError | undefined;
  #told: ((line: string) => void) | undefined;

  private constructor(
    host: { readonly libc: Libc; readonly scratch: Scratch },
    fds: readonly [number, number],
    options: PasstOptions,
  ) {
    const [fd, theirs] = fds;
    this.fd = fd;
    this.#libc = host.libc;
    this.#scratch = host.scratch;
    this.#mac = options.mac;
    this.#peeked = host.scratch.memory.hva + host.scratch.take(1);
    const child = spawn("passt", [...passtArguments(options.hostForwards)], {
      stdio: ["ignore", "ignore", "pipe", theirs],
    });
    this.#child = child;
    this.pid = child.pid;
    this.#gone = new Promise((resolve) => {
      child.once("error", (cause: NodeJS.ErrnoException) => {
        this.#failed = notStarted(cause);
        resolve();
      });
      // After the last of its messages.
      child.once("close", (code, signal) => {
        this.#failed ??= this.#ended(code === null ? `signal ${signal ?? "?"}` : `code ${code}`);
        resolve();
      });
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#messages = (this.#messages + text).slice(-MESSAGE_BYTES);
    });
    // The program decides how long it lives; a machine that it forgot must not keep it.
    child.unref();
    if (child.stderr instanceof Socket) child.stderr.unref();
  }

  /** @throws VmmError CONFIG or HOST_SYSCALL; what goes wrong in the child is told by {@link ready} */
  static start(host: { readonly libc: Libc; readonly scratch: Scratch }, options: PasstOptions): Passt {
    const { libc, scratch } = host;
    const at = scratch.take(8);
    checked(
      "socketpair",
      libc.syscall(SYS.socketpair, AF_UNIX, SocketType.stream | SOCK_CLOEXEC, 0, scratch.memory.hva + at),
      "make a pair of sockets",
    );
    // Both block: passt finishes a frame that it has begun to send by writing until it is out.
    const view = new DataView(scratch.memory.buffer);
    const ours = view.getInt32(at, true);
    const theirs = view.getInt32(at + 4, true);
    try {
      return new Passt(host, [ours, theirs], options);
    } catch (error) {
      libc.syscall(SYS.close, ours);
      throw error;
    } finally {
      libc.syscall(SYS.close, theirs);
    }
  }

  /**
   * Resolves when it serves the network: when it answers a question for the gateway's hardware address. The answer stays
   * in the socket; the guest's card, not yet up, drops it.
   *
   * @throws VmmError HOST_UNSUPPORTED with one line that says why it cannot
   */
  async ready(): Promise<void> {
    this.#ask();
    for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
      if (this.#failed !== undefined) throw this.#failed;
      if (this.#answered()) return;
      await Promise.race([this.#gone, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    }
    throw unusable(`passt did not answer for ${PATIENCE_MS / 1000} s`);
  }

  /** Calls `told` with one line if it ends before {@link end} is called. */
  onEnd(told: (line: string) => void): void {
    this.#told = told;
    void this.#gone.then(() => {
      if (this.#failed !== undefined) this.#told?.(this.#failed.message);
    });
  }

  /** Waits for its end; our end of the socket is closed. */
  async end(): Promise<void> {
    this.#told = undefined;
    const late = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MS);
    // From here on somebody waits for it.
    this.#child.ref();
    await this.#gone;
    clearTimeout(late);
  }

  #ask(): void {
    const frame = arpRequest(this.#mac, USER_NETWORK.guest, USER_NETWORK.gateway);
    const bytes = new Uint8Array(4 + frame.length);
    new DataView(bytes.buffer).setUint32(0, frame.length);
    bytes.set(frame, 4);
    const at = this.#scratch.take(bytes.length);
    new Uint8Array(this.#scratch.memory.buffer, at, bytes.length).set(bytes);
    // When it has gone already, its end says so.
    this.#libc.syscall(SYS.write, this.fd, this.#scratch.memory.hva + at, bytes.length);
  }

  #answered(): boolean {
    return this.#libc.syscall(SYS.recvfrom, this.fd, this.#peeked, 1, MSG_PEEK | MSG_DONTWAIT, 0, 0) > 0;
  }

  #ended(how: string): VmmError {
    const lines = this.#messages.split("\n").filter((line) => !NOISE.test(line));
    const reason = lines.at(-1)?.trim();
    return unusable(`passt ended (${how})${reason === undefined ? "" : `: ${reason}`}`);
  }
}

function notStarted(cause: NodeJS.ErrnoException): VmmError {
  const reason =
    cause.code === "ENOENT" ? "passt is not installed (Debian package passt)" : `cannot run passt: ${cause.message}`;
  return unusable(reason, cause);
}

function unusable(reason: string, cause?: Error): VmmError {
  return new VmmError("HOST_UNSUPPORTED", `Cannot give the guest a user-mode network: ${reason}`, {}, { cause });
}

/** "Who has `target`?", from the guest's card. [ARP] packet format; broadcast on Ethernet */
function arpRequest(mac: string, sender: string, target: string): Uint8Array {
  const hardware = mac.split(":").map((part) => parseInt(part, 16));
  const address = (text: string): number[] => text.split(".").map(Number);
  const broadcast = [255, 255, 255, 255, 255, 255];
  const unknown = [0, 0, 0, 0, 0, 0];
  return Uint8Array.from([
    ...broadcast,
    ...hardware,
    ...[0x08, 0x06],
    // Ethernet, IPv4, their lengths, request.
    ...[0, 1, 0x08, 0x00, 6, 4, 0, 1],
    ...hardware,
    ...address(sender),
    ...unknown,
    ...address(target),
  ]);
}
