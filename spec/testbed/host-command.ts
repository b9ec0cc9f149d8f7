/** Programs of the host: run one to its end, and make sure that the packages they come from are there. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { TestbedError } from "./errors.js";

/** Where progress is told, a line at a time. */
export type Log = (line: string) => void;

export interface HostCommandOptions {
  readonly cwd?: string;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How much of a failed command's output its error repeats, in characters. */
const ERROR_TAIL = 4000;
export const DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** Files that building needs, and the Debian and Ubuntu packages they are in. */
const BUILD_PACKAGES = [
  { path: "/usr/bin/mmdebstrap", name: "mmdebstrap" },
  { path: DEBIAN_KEYRING, name: "debian-archive-keyring" },
  { path: "/usr/bin/mount", name: "mount" },
  { path: "/usr/bin/flock", name: "util-linux" },
] as const;

/**
 * Runs a program to its end and gives its standard output.
 *
 * @throws TestbedError when it cannot be started or fails, with the end of what it printed.
 */
export async function runHost(
  file: string,
  args: readonly string[],
  options: HostCommandOptions = {},
): Promise<Buffer> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: "C.UTF-8", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const all: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout.push(chunk);
    all.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => all.push(chunk));
  const code = await exitCode(file, child);
  if (code !== 0) {
    const tail = Buffer.concat(all).toString().slice(-ERROR_TAIL);
    throw new TestbedError(`${file} ${args.slice(0, 3).join(" ")} failed with ${code}:\n${tail}`);
  }
  return Buffer.concat(stdout);
}

async function exitCode(file: string, child: ReturnType<typeof spawn>): Promise<string | number> {
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    return code ?? signal ?? "no exit code";
  } catch (cause) {
    throw new TestbedError(`Cannot run ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** @throws TestbedError telling a user who is not root what to run. */
export async function requireBuildPackages(log: Log, exists: (path: string) => Promise<boolean>): Promise<void> {
  const missing: string[] = [];
  for (const { path, name } of BUILD_PACKAGES) {
    if (!(await exists(path))) missing.push(name);
  }
  if (missing.length === 0) return;
  const install = ["apt-get", "install", "--yes", "--no-install-recommends", ...missing];
  if (!isRoot())
    throw new TestbedError(`Packages are missing. Run:\n\n  sudo apt-get update && sudo ${install.join(" ")}\n`);
  log(`testbed: installing ${missing.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await runHost("apt-get", ["update"], { env });
  await runHost("apt-get", install.slice(1), { env });
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}
