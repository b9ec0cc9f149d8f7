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
  const interruption = interruptionSignal();
  await using testbed = await start(options, interruption);
  if (action.kind === "shell") return await runShell(testbed, interruption);
  const { code } = await testbed.run(action.command, {
    ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    signal: interruption,
    onOutput: (stream, data) => process[stream].write(data),
  });
  return interruption.aborted ? INTERRUPTED : code;
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** From now on a signal does not end us at once: it ends the command, and the machine after it. */
function interruptionSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      controller.abort();
    });
  }
  return controller.signal;
}

async function start(options: TestbedArguments, signal: AbortSignal): Promise<Testbed> {
  return await Testbed.start({
    log,
    signal,
    cpus: options.cpus,
    memoryMiB: options.memoryMiB,
    ...(options.share !== undefined && { share: options.share }),
    ...(options.console && { onConsole: (data: Uint8Array) => process.stderr.write(data) }),
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (cause) {
  if (!(cause instanceof TestbedError)) throw cause;
  log(`testbed: ${cause.message}`);
  process.exitCode = cause instanceof CommandTimeout ? TIMED_OUT : TESTBED_FAILED;
}
