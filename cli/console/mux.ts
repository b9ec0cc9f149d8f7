/**
 * One terminal, several front ends: serial ports, the PV console and the monitor take turns.
 *
 * Keys go to the one that has the focus; output of all is shown. Ctrl-A starts an escape. The keys are QEMU's.
 */
import type { FrontEnd } from "../options/chardevs.js";

export interface MuxHost {
  /** Bytes typed for `frontEnd`. */
  send(frontEnd: FrontEnd, bytes: Uint8Array): void;
  /** The line of `frontEnd` goes to break for a moment. */
  sendBreak(frontEnd: FrontEnd): void;
  /** Text of our own for the terminal. */
  show(text: string): void;
  /** `frontEnd` has the keys from now on. */
  focused(frontEnd: FrontEnd): void;
  /** Milliseconds since the machine's start, for time stamps. */
  elapsedMs(): number;
  quit(): void;
}

/** Ctrl-A. */
const ESCAPE = 0x01;
const LINE_FEED = 0x0a;

const KEYS = {
  help: 0x68,
  exit: 0x78,
  commit: 0x73,
  timestamps: 0x74,
  break: 0x62,
  switch: 0x63,
} as const;

const HELP = `
Ctrl-A h   this help
Ctrl-A x   exit
Ctrl-A s   commit disks: nothing to do, as they are written directly
Ctrl-A t   time stamps on or off
Ctrl-A b   send a break (SysRq on a serial console of Linux)
Ctrl-A c   switch between the consoles and the monitor
Ctrl-A Ctrl-A   send Ctrl-A
`;

export class Mux {
  readonly #frontEnds: readonly FrontEnd[];
  readonly #host: MuxHost;
  #focus = 0;
  /** True after Ctrl-A, which may end one chunk of input and have its key in the next. */
  #escaped = false;
  #timestamps = false;
  #atLineStart = true;

  /** The first of `frontEnds` has the keys. */
  constructor(frontEnds: readonly [FrontEnd, ...FrontEnd[]], host: MuxHost) {
    this.#frontEnds = frontEnds;
    this.#host = host;
  }

  get focus(): FrontEnd | undefined {
    return this.#frontEnds[this.#focus];
  }

  /** Takes what was typed. */
  input(bytes: Uint8Array): void {
    let plainFrom = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (this.#escaped) {
        this.#escaped = false;
        // Ctrl-A twice is one Ctrl-A for the guest: it starts the next run of plain bytes.
        plainFrom = byte === ESCAPE ? at : at + 1;
        if (byte !== ESCAPE) this.#command(byte);
      } else if (byte === ESCAPE) {
        this.#send(bytes.subarray(plainFrom, at));
        this.#escaped = true;
        plainFrom = at + 1;
      }
    }
    this.#send(bytes.subarray(plainFrom));
  }

  /** What the terminal shows of `bytes`, which a front end has written. */
  output(bytes: Uint8Array): Uint8Array {
    return this.#timestamps ? this.#stamped(bytes) : bytes;
  }

  #send(bytes: Uint8Array): void {
    const frontEnd = this.focus;
    if (bytes.length > 0 && frontEnd !== undefined) this.#host.send(frontEnd, bytes);
  }

  #command(key: number): void {
    switch (key) {
      case KEYS.help:
        this.#host.show(HELP);
        return;
      case KEYS.exit:
        this.#host.show("\nxenolith: terminated\n");
        this.#host.quit();
        return;
      case KEYS.timestamps:
        this.#timestamps = !this.#timestamps;
        this.#atLineStart = true;
        return;
      case KEYS.break: {
        const frontEnd = this.focus;
        if (frontEnd !== undefined) this.#host.sendBreak(frontEnd);
        return;
      }
      // There are no snapshots whose changes would have to be written back.
      case KEYS.commit:
        return;
      case KEYS.switch:
        this.#switch();
    }
  }

  #switch(): void {
    if (this.#frontEnds.length < 2) return;
    this.#focus = (this.#focus + 1) % this.#frontEnds.length;
    const frontEnd = this.focus;
    if (frontEnd !== undefined) this.#host.focused(frontEnd);
  }

  #stamped(bytes: Uint8Array): Uint8Array {
    const stamp = new TextEncoder().encode(timestamp(this.#host.elapsedMs()));
    const stamped: number[] = [];
    for (const byte of bytes) {
      if (this.#atLineStart) stamped.push(...stamp);
      stamped.push(byte);
      this.#atLineStart = byte === LINE_FEED;
    }
    return Uint8Array.from(stamped);
  }
}

/** "[00:01:02.345] ". */
function timestamp(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const clock = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return `[${clock}.${String(Math.floor(ms) % 1000).padStart(3, "0")}] `;
}
