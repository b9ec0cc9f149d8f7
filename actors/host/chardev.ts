/** Where the bytes of a serial port or console go to and come from, as the configuration names it. */
import { closeSync, constants, openSync } from "node:fs";
import type { ChardevConfig } from "../../shared/config.js";
import { unreachable, VmmError } from "../../shared/errors.js";
import { FdChardev, TransferBuffer } from "./fd-chardev.js";
import type { Chardev, ChardevEvents, ChardevHost } from "./fd-chardev.js";
import { reasonOf } from "./open-file.js";
import { openPty } from "./pty.js";
import { SocketChardev } from "./socket-chardev.js";

const NOWHERE: Chardev = {
  place: "",
  connected: Promise.resolve(),
  write: (bytes) => bytes.length,
  resumeInput: () => undefined,
  close: () => undefined,
};

/** Opens what `config` names. `stream` is the embedding program's and handled elsewhere. */
export function openChardev(
  host: ChardevHost,
  config: Exclude<ChardevConfig, { kind: "stream" }>,
  events: ChardevEvents,
): Chardev {
  switch (config.kind) {
    case "null":
      return NOWHERE;
    case "file": {
      const buffer = new TransferBuffer(host.scratch);
      const fd = openOutput(config.path, config.append);
      return new FdChardev(host, fd, { place: config.path, buffer, input: false, close: closeSync }, events);
    }
    case "pty": {
      const buffer = new TransferBuffer(host.scratch);
      const { fd, path } = openPty(host);
      return new FdChardev(host, fd, { place: path, buffer, input: true, close: closeSync }, events);
    }
    case "socket":
      return new SocketChardev(host, config, events);
    default:
      return unreachable(config);
  }
}

/** Non-blocking, as the path may be a pipe: one that nobody reads is refused, one that is full makes the guest wait. */
function openOutput(path: string, append: boolean): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC, O_NONBLOCK } = constants;
  try {
    return openSync(path, O_WRONLY | O_CREAT | O_NONBLOCK | (append ? O_APPEND : O_TRUNC), 0o644);
  } catch (cause) {
    const unread = (cause as NodeJS.ErrnoException).code === "ENXIO";
    const reason = unread ? "it is a pipe that nobody reads" : reasonOf(cause);
    throw new VmmError("CONFIG", `Cannot open ${path} for output: ${reason}`, { path }, { cause });
  }
}
