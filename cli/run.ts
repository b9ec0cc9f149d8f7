/** What the launcher does for a command line. What a plain launch does not need is loaded only when asked for. */
import type { LaunchPlan } from "./options/plan.js";
import { Consoles } from "./console/consoles.js";
import { Terminal } from "./console/terminal.js";
import { exitCodeOfError } from "./exit-codes.js";
import { runMachine } from "./launch.js";
import { Arguments } from "./options/arguments.js";
import { planLaunch } from "./options/plan.js";
import { packageVersion } from "../package-root.js";
import { describeError } from "./report.js";

/** Returns the exit code. Never rejects: what goes wrong is told on standard error. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    if (argv[0] === "selftest") {
      const { selftestCommand } = await import("./selftest/command.js");
      return await selftestCommand(argv.slice(1));
    }
    if (argv[0] === "stress") {
      const { stressCommand } = await import("./stress/command.js");
      return await stressCommand(argv.slice(1));
    }
    if (argv[0] === "doctor") {
      const { doctorCommand } = await import("./doctor.js");
      return await doctorCommand(argv.slice(1), {
        inspect: async () => (await import("../index.js")).inspectHost(),
        write: (text) => process.stdout.write(text),
      });
    }
    const args = new Arguments(argv);
    if (args.has("help")) {
      const { helpText } = await import("./help.js");
      process.stdout.write(helpText());
      return 0;
    }
    if (args.has("version")) {
      process.stdout.write(`xenolith ${packageVersion()}\n`);
      return 0;
    }
    if (args.all("trace").includes("help")) {
      const { traceHelp } = await import("./options/traces.js");
      process.stdout.write(traceHelp());
      return 0;
    }
    return await launch(planLaunch(args));
  } catch (error) {
    complain(describeError(error));
    return exitCodeOfError(error);
  }
}

async function launch(plan: LaunchPlan): Promise<number> {
  // A bad command line is refused before the library, and with it the foreign function interface, is loaded.
  const { Machine } = await import("../index.js");
  await using machine = await Machine.create(plan.machine, { lastOfProcess: true });
  return await runMachine(plan, machine, {
    get version() {
      return packageVersion();
    },
    openConsoles: ({ terminal, machine: { xenLog } }, target, monitor) =>
      new Consoles({
        plan: terminal,
        machine: target,
        monitor,
        xenLog: xenLog ?? false,
        openTerminal: () => openTerminal(terminal?.signal ?? false),
      }),
    complain,
  });
}

/** Keys that are to act on us take the way of the signals that they stand for. */
function openTerminal(signal: boolean): Terminal {
  const streams = { input: process.stdin, output: process.stdout };
  if (!signal) return new Terminal(streams);
  return new Terminal({
    ...streams,
    signal(name) {
      process.kill(process.pid, name);
    },
  });
}

function complain(text: string): void {
  process.stderr.write(`xenolith: ${text}\n`);
}
