/** `xenolith stress`: stresses a machine, shows how far it is on a terminal, and prints how it went. */
import type { StressOptions, StressReport } from "../../index.js";
import { ExitCode } from "../exit-codes.js";
import { exitCodeOfSignal, handleSignals } from "../signals.js";
import { parseStressOptions, stressUsage } from "./options.js";
import type { StressNames } from "./options.js";
import { progressText, reportText } from "./report-text.js";

export interface StressHost {
  readonly names: StressNames;
  stress(options: StressOptions): Promise<StressReport>;
  write(text: string): void;
  /** Shows a line in place of the one before; absent where nobody looks. */
  readonly progress?: (line: string) => void;
}

const CLEAR_LINE = "\r\x1b[K";

/** Of the standard streams. */
export async function stressCommand(argv: readonly string[]): Promise<number> {
  const library = await import("../../index.js");
  return runStressCommand(argv, {
    names: {
      workloads: library.WORKLOADS,
      hostActions: library.HOST_ACTIONS,
      plants: library.PLANTS,
      channels: library.CHANNELS,
      maxVcpus: library.MAX_VCPUS,
    },
    stress: library.stress,
    write: (text) => process.stdout.write(text),
    ...(process.stderr.isTTY
      ? {
          progress: (line: string) => process.stderr.write(`${CLEAR_LINE}${line.slice(0, process.stderr.columns - 1)}`),
        }
      : {}),
  });
}

export async function runStressCommand(argv: readonly string[], host: StressHost): Promise<number> {
  const options = parseStressOptions(argv, host.names);
  if (options.help) {
    host.write(stressUsage(host.names));
    return ExitCode.done;
  }
  const abort = new AbortController();
  let interruption: NodeJS.Signals | undefined;
  const release = handleSignals({
    terminate(signal) {
      interruption = signal;
      abort.abort();
    },
    suspend: () => undefined,
    resume: () => undefined,
  });
  try {
    const report = await host.stress({
      ...options.stress,
      signal: abort.signal,
      onProgress(progress) {
        host.progress?.(progressText(progress));
      },
    });
    host.progress?.("");
    host.write(options.json ? `${JSON.stringify(report)}\n` : reportText(report));
    return interruption === undefined ? exitCodeOf(report) : exitCodeOfSignal(interruption);
  } finally {
    release();
  }
}

function exitCodeOf({ outcome }: StressReport): number {
  switch (outcome) {
    case "passed":
    case "interrupted":
      return ExitCode.done;
    case "failed":
      return ExitCode.host;
    case "crashed":
      return ExitCode.crash;
  }
}
