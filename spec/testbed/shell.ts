/** An interactive shell in a testbed: our terminal becomes a window on one inside. */
import type { WriteStream } from "node:tty";
import { quote } from "./arguments.js";
import { TestbedError } from "./errors.js";
import type { WindowSize } from "./protocol.js";
import type { Testbed } from "./testbed.js";

/** Runs a shell until it ends and gives its exit code. @throws TestbedError when our standard streams are no terminal. */
export async function runShell(testbed: Testbed, signal: AbortSignal): Promise<number> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) throw new TestbedError("--shell needs a terminal");
  const term = process.env["TERM"] ?? "dumb";
  const shell = testbed.terminal(`TERM=${quote(term)} exec bash -l`, windowOf(stdout), (data) => stdout.write(data));
  const type = (data: Buffer): void => {
    shell.write(data);
  };
  const resize = (): void => {
    shell.resize(windowOf(stdout));
  };
  // Every key, Ctrl-C included, goes inside as it is
  stdin.setRawMode(true);
  stdin.on("data", type);
  stdout.on("resize", resize);
  signal.addEventListener("abort", () => {
    shell.kill();
  });
  try {
    return await shell.exit;
  } finally {
    stdin.setRawMode(false);
    stdin.off("data", type);
    stdin.pause();
    stdout.off("resize", resize);
  }
}

function windowOf(stdout: WriteStream): WindowSize {
  return { rows: stdout.rows, columns: stdout.columns };
}
