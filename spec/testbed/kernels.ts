/**
 * Debian's kernels for guests under test: downloaded, unpacked and kept in the cache. Inside a testbed they are at /kernels/<suite>.
 *
 * A private apt state is used for each: the host's sources are not touched, and its proxy settings are obeyed.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cached, cacheDirectory, exists } from "./cache.js";
import { TestbedError } from "./errors.js";
import { type Log, runHost } from "./host-command.js";
import { hostTool } from "./host-tool.js";
import { ensureImage, type Image } from "./image.js";

interface KernelSource {
  readonly suite: string;
  readonly architecture: "amd64" | "i386";
  /** Depends on the newest kernel's packages. */
  readonly metaPackage: string;
}

const SOURCES = {
  bookworm: { suite: "bookworm", architecture: "amd64", metaPackage: "linux-image-cloud-amd64" },
  trixie: { suite: "trixie", architecture: "amd64", metaPackage: "linux-image-cloud-amd64" },
  sid: { suite: "sid", architecture: "amd64", metaPackage: "linux-image-cloud-amd64" },
  // Boots in a testbed whose emulator has been given POINTER_ACCESS (emulator.ts)
  "bookworm-i386": { suite: "bookworm", architecture: "i386", metaPackage: "linux-image-686-pae" },
} as const satisfies Record<string, KernelSource>;

export type GuestSuite = keyof typeof SOURCES;
export const GUEST_SUITES = Object.keys(SOURCES) as GuestSuite[];

/** A kernel on the host. */
export interface GuestKernel {
  readonly vmlinuz: string;
  /** `lib/modules/<version>`, with `modules.dep` made. */
  readonly modulesDir: string;
  readonly version: string;
  /** A static busybox for the kernel's architecture. */
  readonly busybox: string;
  /** The directory of all these, inside a testbed. */
  readonly insideDirectory: string;
}

const KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg";
/** Of a kernel's dependencies, the packages that hold parts of the kernel itself. */
const KERNEL_PART = /^linux-(image|binary|modules)-\S+$/;
/** Changes when the same sources would be unpacked differently. */
const LAYOUT = 1;

/** Where guest kernels are on the host; /kernels inside. */
export function kernelsDirectory(): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([LAYOUT, SOURCES]))
    .digest("hex");
  return join(cacheDirectory(), `kernels-${hash.slice(0, 16)}`);
}

/** The kernel of that suite that was newest when it was first asked for. @throws TestbedError when it cannot be had. */
export async function guestKernel(name: GuestSuite, log: Log = () => undefined): Promise<GuestKernel> {
  const image = await ensureImage(log);
  const relative = join(basename(kernelsDirectory()), name);
  const directory = await cached(relative, async (partial) => {
    log(`testbed: fetching the ${name} kernel for guests`);
    await fetchKernel(image, SOURCES[name], partial);
  });
  const version = await readFile(join(directory, "version"), "utf8");
  return {
    version,
    vmlinuz: join(directory, "vmlinuz"),
    modulesDir: join(directory, "lib", "modules", version),
    busybox: join(directory, "busybox"),
    insideDirectory: `/kernels/${name}`,
  };
}

/** Fills `directory` with vmlinuz, lib/modules/<version>, busybox and the version's name. */
async function fetchKernel(image: Image, source: KernelSource, directory: string): Promise<void> {
  const scratch = join(directory, "scratch");
  const tree = join(scratch, "tree");
  await mkdir(tree, { recursive: true });
  const apt = await PrivateApt.create(image, source, scratch);
  const parts = await apt.kernelParts();
  for (const archive of await apt.download([...parts, "busybox-static"])) {
    await runHost("dpkg-deb", ["--extract", archive, tree]);
  }
  const modules = await firstThat(exists, [join(tree, "usr/lib/modules"), join(tree, "lib/modules")]);
  const [version] = await readdir(modules);
  if (version === undefined) throw new TestbedError(`${source.metaPackage} of ${source.suite} has no modules`);
  await mkdir(join(directory, "lib", "modules"), { recursive: true });
  const kernel = await firstThat(exists, [join(tree, "boot", `vmlinuz-${version}`), join(modules, version, "vmlinuz")]);
  await rename(kernel, join(directory, "vmlinuz"));
  await rename(join(modules, version), join(directory, "lib", "modules", version));
  await rename(
    await firstThat(exists, [join(tree, "usr/bin/busybox"), join(tree, "bin/busybox")]),
    join(directory, "busybox"),
  );
  const depmod = hostTool(image, "usr/sbin/depmod", ["--basedir", directory, "--moduledir", "/lib/modules", version]);
  await runHost(depmod.file, depmod.args);
  await writeFile(join(directory, "version"), version);
  await rm(scratch, { recursive: true });
}

/** apt with nothing installed and one suite as its only source. */
class PrivateApt {
  readonly #options: readonly string[];
  readonly #downloads: string;
  readonly #source: KernelSource;

  private constructor(options: readonly string[], downloads: string, source: KernelSource) {
    this.#options = options;
    this.#downloads = downloads;
    this.#source = source;
  }

  static async create(image: Image, source: KernelSource, scratch: string): Promise<PrivateApt> {
    const directory = join(scratch, "apt");
    const downloads = join(scratch, "downloads");
    for (const name of ["state/lists/partial", "cache/archives/partial"])
      await mkdir(join(directory, name), { recursive: true });
    await mkdir(downloads);
    const status = join(directory, "status");
    await writeFile(status, "");
    const sources = join(directory, "sources.list");
    await writeFile(
      sources,
      `deb [signed-by=${join(image.root, KEYRING)}] ${await mirrorOf(image)} ${source.suite} main\n`,
    );
    const settings = {
      "Dir::State": join(directory, "state"),
      "Dir::State::status": status,
      "Dir::Cache": join(directory, "cache"),
      "Dir::Etc::SourceList": sources,
      "Dir::Etc::SourceParts": "/dev/null",
      "Dir::Etc::Preferences": "/dev/null",
      "Dir::Etc::PreferencesParts": "/dev/null",
      "APT::Architecture": source.architecture,
      "APT::Architectures": source.architecture,
      "APT::Sandbox::User": "",
      "Acquire::Languages": "none",
      "Acquire::Retries": "3",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    await runHost("apt-get", [...options, "update"]);
    return new PrivateApt(options, downloads, source);
  }

  /** The packages that hold the newest kernel: what the meta package depends on, and what those do. */
  async kernelParts(): Promise<string[]> {
    const parts = new Set<string>();
    const waiting: string[] = [this.#source.metaPackage];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      for (const dependency of await this.#dependencies(name)) {
        if (!KERNEL_PART.test(dependency) || parts.has(dependency)) continue;
        parts.add(dependency);
        waiting.push(dependency);
      }
    }
    return [...parts];
  }

  /** The archives of these packages, without their dependencies. */
  async download(names: readonly string[]): Promise<string[]> {
    await runHost("apt-get", [...this.#options, "download", ...names], { cwd: this.#downloads });
    return (await readdir(this.#downloads)).map((file) => join(this.#downloads, file));
  }

  async #dependencies(name: string): Promise<string[]> {
    const record = await runHost("apt-cache", [...this.#options, "show", "--no-all-versions", name]);
    const depends = /^Depends: (.*)$/m.exec(record.toString())?.[1] ?? "";
    return depends.split(/[,|]/).map((one) => one.trim().replace(/[ :(].*$/, ""));
  }
}

/** The mirror that the image itself came from. */
async function mirrorOf(image: Image): Promise<string> {
  const file = join(image.root, "etc/apt/sources.list");
  const mirror = /^deb (?:\[[^\]]*\] )?(\S+)/m.exec(await readFile(file, "utf8"))?.[1];
  if (mirror === undefined) throw new TestbedError(`${file} names no mirror`);
  return mirror;
}

async function firstThat(holds: (path: string) => Promise<boolean>, paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    if (await holds(path)) return path;
  }
  throw new TestbedError(`None of these is there: ${paths.join(", ")}`);
}
