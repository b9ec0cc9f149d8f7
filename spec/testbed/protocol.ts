/**
 * Frames between a Testbed on the host and the agent inside (guest/agent.c, the other end: the two change together).
 *
 * A frame is a header of 9 bytes, little endian (u32 payload length in bytes, u8 type, u32 channel), and the payload.
 * A channel is one command: the host opens it with `run`, the agent ends it with `exit` or `refused`, after its last output.
 */

/** A command's standard input: nothing, what `input` frames bring, or a terminal of its own. */
export type StdinSource = "null" | "pipe" | "pty";

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** What the host sends. */
export type HostFrame =
  | {
      readonly kind: "run";
      readonly channel: number;
      readonly command: string;
      readonly stdin: StdinSource;
      readonly window: WindowSize;
    }
  /** Bytes for the command's standard input; none at all mean its end. */
  | { readonly kind: "input"; readonly channel: number; readonly data: Uint8Array }
  /** Kills every process of the command; the agent still answers with `exit`. */
  | { readonly kind: "kill"; readonly channel: number }
  | { readonly kind: "resize"; readonly channel: number; readonly window: WindowSize }
  /** Writes back what is cached and switches the machine off; nothing answers. */
  | { readonly kind: "power-off" };

/** What the agent sends. */
export type AgentFrame =
  /** Once, when the machine can take commands. */
  | { readonly kind: "ready"; readonly version: number }
  | {
      readonly kind: "output";
      readonly channel: number;
      readonly stream: "stdout" | "stderr";
      readonly data: Uint8Array;
    }
  /** `code` is as a shell gives it: 128 + the signal's number for a killed command. */
  | { readonly kind: "exit"; readonly channel: number; readonly code: number }
  /** The command could not be started. */
  | { readonly kind: "refused"; readonly channel: number; readonly reason: string };

/** The `version` of `ready` that this file speaks. */
export const PROTOCOL_VERSION = 1;
/** Bytes of payload that the agent takes in one frame. */
export const MAX_PAYLOAD = 1 << 20;

const HEADER_BYTES = 9;
const TYPE = { run: 1, input: 2, kill: 3, resize: 4, "power-off": 5 } as const satisfies Record<
  HostFrame["kind"],
  number
>;
const AGENT_TYPE = { ready: 16, stdout: 17, stderr: 18, exit: 19, refused: 20 } as const;
const STDIN = { null: 0, pipe: 1, pty: 2 } as const satisfies Record<StdinSource, number>;
const SIGNALLED = 1;
const SIGNAL_EXIT_BASE = 128;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @throws RangeError when the payload is longer than the agent takes. */
export function encodeFrame(frame: HostFrame): Uint8Array {
  const payload = payloadOf(frame);
  if (payload.length > MAX_PAYLOAD)
    throw new RangeError(`Cannot send ${frame.kind}: ${payload.length} bytes are more than ${MAX_PAYLOAD}`);
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint8(4, TYPE[frame.kind]);
  view.setUint32(5, frame.kind === "power-off" ? 0 : frame.channel, true);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

function payloadOf(frame: HostFrame): Uint8Array {
  switch (frame.kind) {
    case "run":
      return concatenate([Uint8Array.of(STDIN[frame.stdin]), windowBytes(frame.window), encoder.encode(frame.command)]);
    case "input":
      return frame.data;
    case "resize":
      return windowBytes(frame.window);
    case "kill":
    case "power-off":
      return new Uint8Array(0);
  }
}

function windowBytes({ rows, columns }: WindowSize): Uint8Array {
  return Uint8Array.of(rows & 0xff, (rows >> 8) & 0xff, columns & 0xff, (columns >> 8) & 0xff);
}

/** Cuts the agent's byte stream into frames, however the stream was cut into chunks. */
export class FrameDecoder {
  #pending: Uint8Array[] = [];
  #length = 0;

  /** @throws RangeError on a frame that the agent never sends. */
  push(chunk: Uint8Array): AgentFrame[] {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    const frames: AgentFrame[] = [];
    if (this.#length < HEADER_BYTES) return frames;
    let bytes = concatenate(this.#pending);
    for (;;) {
      if (bytes.length < HEADER_BYTES) break;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const end = HEADER_BYTES + view.getUint32(0, true);
      if (end - HEADER_BYTES > MAX_PAYLOAD)
        throw new RangeError(`The agent sent a frame of ${end - HEADER_BYTES} bytes`);
      if (bytes.length < end) break;
      frames.push(decode(view.getUint8(4), view.getUint32(5, true), bytes.subarray(HEADER_BYTES, end)));
      bytes = bytes.subarray(end);
    }
    this.#pending = bytes.length > 0 ? [bytes] : [];
    this.#length = bytes.length;
    return frames;
  }
}

function decode(type: number, channel: number, payload: Uint8Array): AgentFrame {
  switch (type) {
    case AGENT_TYPE.ready:
      return { kind: "ready", version: payload[0] ?? 0 };
    case AGENT_TYPE.stdout:
      return { kind: "output", channel, stream: "stdout", data: payload };
    case AGENT_TYPE.stderr:
      return { kind: "output", channel, stream: "stderr", data: payload };
    case AGENT_TYPE.exit:
      return { kind: "exit", channel, code: (payload[0] === SIGNALLED ? SIGNAL_EXIT_BASE : 0) + (payload[1] ?? 0) };
    case AGENT_TYPE.refused:
      return { kind: "refused", channel, reason: decoder.decode(payload) };
    default:
      throw new RangeError(`The agent sent a frame of unknown type ${type}`);
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
