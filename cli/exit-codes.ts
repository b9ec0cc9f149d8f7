/** What the launcher's exit codes mean. */
import type { MachineEnd } from "./library.js";
import { UsageError } from "./usage.js";

/** [QEMU] isa-debug-exit gives odd codes, so an even one for a crash is never taken for a test guest's verdict. */
export const ExitCode = {
  /** The guest powered off, or asked for a reset that it was not to have, or somebody told us to quit. */
  done: 0,
  /** The host failed, or lacks what the machine needs. */
  host: 1,
  /** The command line, or a file that it names, is wrong. */
  usage: 2,
  /** The guest crashed: triple faults, KVM internal error, crash shutdown. */
  crash: 4,
} as const;

/** Added to a signal's number when one ended us, as shells do. */
export const SIGNAL_BASE = 128;

/** For the help text, in order. */
export const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "the guest powered off or (with --no-reboot) asked for a reset, or the monitor or Ctrl-A x quit"],
  ["1", "the host failed, or lacks what the machine needs"],
  ["2", "the command line, or a file that it names, is wrong"],
  ["4", "the guest crashed"],
  ["2v+1", "the guest wrote v to isa-debug-exit (modulo 256)"],
  ["128+n", "signal n ended us"],
];

export function exitCodeOfEnd(end: MachineEnd): number {
  switch (end.kind) {
    case "poweroff":
    case "reset-requested":
    case "stopped":
      return ExitCode.done;
    case "debug-exit":
      return end.code & 0xff;
    case "crash":
      return ExitCode.crash;
    case "failed":
      return exitCodeOfError(end.error);
  }
}

export function exitCodeOfError(error: unknown): number {
  if (error instanceof UsageError) return ExitCode.usage;
  switch (codeOf(error)) {
    case "CONFIG":
      return ExitCode.usage;
    case "GUEST_CRASHED":
      return ExitCode.crash;
    default:
      return ExitCode.host;
  }
}

/** The code of a library error, known by its field: loading the class would load the library. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== "VmmError" || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
