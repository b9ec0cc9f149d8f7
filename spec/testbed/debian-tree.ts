/**
 * Makes a tree of Debian packages in a directory, by mmdebstrap.
 *
 * The host's sources are not touched; its mirror is used, and what its apt was told about fetching.
 */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { cacheDirectory, exists } from "./cache.js";
import { TestbedError } from "./errors.js";
import { DEBIAN_KEYRING, isRoot, type Log, requireBuildPackages, runHost } from "./host-command.js";

export interface DebianTree {
  readonly suite: string;
  /** mmdebstrap(1): what is there besides `packages` and what they depend on. `extract` unpacks without configuring. */
  readonly variant: "minbase" | "essential" | "extract";
  readonly packages: readonly string[];
  /** Added to DPKG_OPTIONS. */
  readonly dpkgOptions?: readonly string[];
  /** Run in a shell, with the tree as $1: before the first package is unpacked, after all are, after all are configured. */
  readonly hooks: readonly { readonly when: "setup" | "extract" | "customize"; readonly command: string }[];
}

export const APT_OPTIONS = ['APT::Install-Recommends "false"', 'Acquire::Languages "none"', 'Acquire::Retries "3"'];
/** Nobody reads manuals here, and a tree that is lost in a power failure is built again. */
export const DPKG_OPTIONS = [
  "path-exclude=/usr/share/doc/*",
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/locale/*",
  "force-unsafe-io",
];
/** Where nothing is configured, the links of a merged /usr that a tree's own programs need are not made. */
export const EXTRACT_HOOKS = [{ when: "extract", command: `ln -s usr/lib64 "$1/lib64"` }] as const;
/** What apt was told about fetching on this host is true for our builds, too: proxies, clocks that are wrong. */
const INHERITED_APT_OPTION = /^Acquire::(https?::|ftp::|Check-|ForceIPv)/;

/** Fills the directory `root`, which must not be there. Hooks run in `cwd`. @throws TestbedError, for one when we are not root */
export async function buildDebianTree(
  tree: DebianTree,
  root: string,
  { cwd, log }: { readonly cwd?: string; readonly log: Log },
): Promise<void> {
  await requireBuildPackages(log, exists);
  if (!isRoot()) throw new TestbedError(howToBuildAsRoot());
  const { mirror, aptOptions } = await hostApt();
  await mkdir(root);
  await runHost(
    "mmdebstrap",
    [
      "--mode=root",
      `--variant=${tree.variant}`,
      "--architectures=amd64",
      `--keyring=${DEBIAN_KEYRING}`,
      ...[...APT_OPTIONS, ...aptOptions].map((option) => `--aptopt=${option}`),
      ...[...DPKG_OPTIONS, ...(tree.dpkgOptions ?? [])].map((option) => `--dpkgopt=${option}`),
      `--include=${tree.packages.join(",")}`,
      ...tree.hooks.map(({ when, command }) => `--${when}-hook=${command}`),
      tree.suite,
      root,
      ...mirror,
    ],
    cwd === undefined ? {} : { cwd },
  );
}

/** How the host's apt fetches. The mirror is empty on a host that is not Debian: mmdebstrap then uses Debian's own. */
async function hostApt(): Promise<{ mirror: string[]; aptOptions: string[] }> {
  const targets = await runHost("apt-get", [
    "indextargets",
    "--format",
    "$(ORIGIN) $(LABEL) $(REPO_URI)",
    "Created-By: Packages",
  ]);
  const debian = /^Debian Debian (\S+)$/m.exec(targets.toString())?.[1];
  const dump = await runHost("apt-config", ["dump"]);
  const aptOptions = dump
    .toString()
    .split("\n")
    .filter((line) => INHERITED_APT_OPTION.test(line) && !line.endsWith('"";'))
    .map((line) => line.replace(/;$/, ""));
  return { mirror: debian === undefined ? [] : [debian], aptOptions };
}

function howToBuildAsRoot(): string {
  const command = [process.execPath, fileURLToPath(new URL("main.js", import.meta.url)), "--build"].join(" ");
  return `The testbed is not built yet, and building needs root. Run:\n\n  sudo XENOLITH_TESTBED_CACHE=${cacheDirectory()} ${command}\n`;
}
