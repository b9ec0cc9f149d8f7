/** `npm run testbed`: a command, or a shell, in a throw-away KVM host. See arguments.ts for what it takes. */
import { parseTestbedArguments, type TestbedArguments, USAGE } from "./arguments.js";
import { TestbedError, CommandTimeout } from "./errors.js";
import { ensureImage } from "./image.js";
import { guestKernel } from "./kernels.js";
import { runShell } from "./shell.js";
import { Testbed } from "./testbed.js";

/** Exit codes of our own; a command's pass through. As of env(1) and timeout(1). */
const TESTBED_FAILED = 125;
const TIMED_OUT = 124;
const INTERRUPTED = 130;

async function main(argv: readonly string[]): Promise<number> {
  const options = parseTestbedArguments(argv);
  const { action } = options;
  if (action.kind === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  await ensureImage(log);
  for (const suite of options.guestKernels) await guestKernel(suite, log);
  if (action.kind === "build") return 0;
  await using testbed = await start(options);
  if (action.kind === "shell") return await runShell(testbed);
  return await runCommand(testbed, action.command, options.timeoutMs);
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function start(options: TestbedArguments): Promise<Testbed> {
  return await Testbed.start({
    log,
    cpus: options.cpus,
    memoryMiB: options.memoryMiB,
    ...(options.share !== undefined && { share: options.share }),
    ...(options.console && { onConsole: (data: Uint8Array) => process.stderr.write(data) }),
  });
}

async function runCommand(testbed: Testbed, command: string, timeoutMs: number | undefined): Promise<number> {
  const interrupt = new AbortController();
  const abort = (): void => {
    interrupt.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, abort);
  const { code } = await testbed.run(command, {
    ...(timeoutMs !== undefined && { timeoutMs }),
    signal: interrupt.signal,
    onOutput: (stream, data) => process[stream].write(data),
  });
  return interrupt.signal.aborted ? INTERRUPTED : code;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (cause) {
  if (!(cause instanceof TestbedError)) throw cause;
  log(`testbed: ${cause.message}`);
  process.exitCode = cause instanceof CommandTimeout ? TIMED_OUT : TESTBED_FAILED;
}
