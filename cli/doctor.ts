/** `xenolith doctor`: what this host has for machines, and what it costs where something is missing. */
import type { HostInspection } from "../index.js";
import { ExitCode } from "./exit-codes.js";
import { UsageError, didYouMean } from "./usage.js";

export const DOCTOR_USAGE = `usage: xenolith doctor [--json]

Says what this host has of what machines want, and what it costs where something is missing.

  --json                  one JSON object
  --help                  print this

Exit codes: 0 machines can run here, 1 they cannot, 2 the command line is wrong.
`;

const OPTIONS = ["json", "help"];

export interface DoctorHost {
  inspect(): Promise<HostInspection>;
  write(text: string): void;
}

/** @throws UsageError for an option that there is not */
export async function doctorCommand(argv: readonly string[], host: DoctorHost): Promise<number> {
  const options = argv.map((argument) => argument.replace(/^--?/, ""));
  const unknown = options.findIndex((option, index) => option === argv[index] || !OPTIONS.includes(option));
  if (unknown >= 0) {
    const hint = didYouMean(options[unknown] ?? "", OPTIONS);
    throw new UsageError(`xenolith doctor: unknown argument '${argv[unknown] ?? ""}'${hint}`);
  }
  if (options.includes("help")) {
    host.write(DOCTOR_USAGE);
    return ExitCode.done;
  }
  const inspection = await host.inspect();
  host.write(options.includes("json") ? `${JSON.stringify(inspection)}\n` : report(inspection));
  return inspection.transport === undefined ? ExitCode.host : ExitCode.done;
}

function report({ findings, transport }: HostInspection): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.map(({ name, present, required, text }) => {
    const mark = present ? "yes" : required ? "NO " : "no ";
    return `${mark}  ${name.padEnd(width)}  ${text}\n`;
  });
  const verdict =
    transport === undefined ? "No machine can run here.\n" : `Machines run here, with the ${transport} transport.\n`;
  return `${lines.join("")}\n${verdict}`;
}
