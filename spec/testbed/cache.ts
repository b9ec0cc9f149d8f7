/**
 * What is built once and kept: directories named by a hash of their recipe.
 *
 * A directory is built under another name and renamed when whole, so what has its name is complete. One lock for the whole
 * cache serialises the builders; it is the kernel's (flock), so a builder that dies frees it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, readdir, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestbedError } from "./errors.js";
import { runHost } from "./host-command.js";

const PARTIAL = ".partial";
const LOCK_FILE = "lock";

export function cacheDirectory(): string {
  const { XENOLITH_TESTBED_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  if (own !== undefined && own !== "") return own;
  return join(xdg !== undefined && xdg !== "" ? xdg : join(homedir(), ".cache"), "xenolith", "testbed");
}

/** The checkout that this file, or what was compiled from it, belongs to. */
export async function projectDirectory(): Promise<string> {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!(await exists(join(directory, "package.json")))) {
    const parent = dirname(directory);
    if (parent === directory) throw new TestbedError("The project's package.json is nowhere above the testbed's code");
    directory = parent;
  }
  return directory;
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The cached directory of that name, after `build` has filled it if it was not there.
 *
 * `build` gets an empty directory; when it throws, nothing is kept.
 */
export async function cached(name: string, build: (directory: string) => Promise<void>): Promise<string> {
  const directory = join(cacheDirectory(), name);
  if (await exists(directory)) return directory;
  await mkdir(dirname(directory), { recursive: true });
  const lock = await takeLock();
  try {
    if (!(await exists(directory))) await buildAndRename(directory, name, build);
  } finally {
    await lock.release();
  }
  return directory;
}

async function buildAndRename(
  directory: string,
  name: string,
  build: (directory: string) => Promise<void>,
): Promise<void> {
  await removePartials();
  const partial = join(cacheDirectory(), `${name.replaceAll("/", "-")}${PARTIAL}`);
  await mkdir(partial);
  try {
    await build(partial);
    await rename(partial, directory);
  } finally {
    await removePartials();
  }
}

/** Leftovers of builders that died; only for the holder of the lock. Never crosses into a file system mounted there. */
async function removePartials(): Promise<void> {
  const names = (await readdir(cacheDirectory())).filter((name) => name.endsWith(PARTIAL));
  for (const name of names) await runHost("rm", ["-rf", "--one-file-system", join(cacheDirectory(), name)]);
}

/** Waits for the cache's lock. A child process holds it as long as its standard input is open, that is: not longer than we live. */
async function takeLock(): Promise<{ release(): Promise<void> }> {
  const file = join(cacheDirectory(), LOCK_FILE);
  const holder = spawn("flock", ["--exclusive", file, "sh", "-c", "echo locked; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(holder, "exit");
  const taken = await Promise.race([once(holder.stdout, "data"), exited.catch((cause: unknown) => ({ cause }))]);
  if (!Array.isArray(taken) || !Buffer.isBuffer(taken[0])) throw new TestbedError(`Cannot lock ${file}`);
  return {
    async release(): Promise<void> {
      holder.stdin.end();
      await exited;
    },
  };
}
