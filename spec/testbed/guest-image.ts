/** What a guest under test boots from: an initrd around a script, and small ext4 disks. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type CpioEntry, cpioArchive } from "./cpio.js";
import { exists } from "./cache.js";
import { TestbedError } from "./errors.js";
import { runHost } from "./host-command.js";
import { hostTool } from "./host-tool.js";
import { ensureImage, type Image } from "./image.js";
import type { GuestKernel } from "./kernels.js";
import { moduleName, modulesInLoadOrder } from "./modules.js";

export interface InitrdOptions {
  readonly kernel: Pick<GuestKernel, "modulesDir" | "busybox">;
  /**
   * What the guest does, as a script for busybox's shell; process 1. /proc, /sys and /dev are mounted and the modules loaded.
   * It ends with `poweroff -f`: when it just ends, the guest's kernel panics.
   */
  readonly script: string;
  /** Modules to load, by name; those that the kernel has built in are no error. A PV disk and ext4 when absent. */
  readonly modules?: readonly string[];
  /** More files, by absolute path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

export interface DiskOptions {
  /** Host path of the image to make. */
  readonly path: string;
  readonly sizeMiB: number;
  /** By absolute path in the disk. All may be executed there. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** crc32c is what ext4 asks the kernel's crypto for by name, which modules.dep does not know. */
export const DISK_MODULES = ["crc32c_generic", "ext4", "xen-blkfront"];

const DIRECTORIES = ["bin", "dev", "etc", "lib", "mnt", "modules", "proc", "root", "run", "sbin", "sys", "tmp"];
/** The first thing that process 1 of a guest prints, as a line. */
export const INIT_REACHED = "== init";
const PROLOGUE = `#!/bin/busybox sh
echo "${INIT_REACHED}"
export PATH=/bin:/sbin HOME=/root
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
while read -r module; do insmod "/modules/$module.ko"; done </modules/order
`;

/** An initrd, not compressed: unpacking costs more than reading under an emulated host. */
export async function guestInitrd(options: InitrdOptions): Promise<Buffer> {
  const { kernel, script, modules = DISK_MODULES, files = {} } = options;
  const order = modulesInLoadOrder(await readFile(join(kernel.modulesDir, "modules.dep"), "utf8"), modules);
  const entries: CpioEntry[] = DIRECTORIES.map((path) => ({ kind: "directory", path }));
  entries.push({ kind: "file", path: "bin/busybox", data: await readFile(kernel.busybox), executable: true });
  for (const file of order) {
    const data = await readModule(join(kernel.modulesDir, file));
    entries.push({ kind: "file", path: `modules/${moduleName(file)}.ko`, data });
  }
  const names = order.map((file) => `${moduleName(file)}\n`).join("");
  entries.push({ kind: "file", path: "modules/order", data: Buffer.from(names) });
  entries.push({ kind: "file", path: "init", data: Buffer.from(PROLOGUE + script), executable: true });
  const made = new Set(DIRECTORIES);
  for (const [path, content] of Object.entries(files)) {
    const relative = path.replace(/^\//, "");
    for (const parent of parentsOf(relative)) {
      if (!made.has(parent)) entries.push({ kind: "directory", path: parent });
      made.add(parent);
    }
    entries.push({ kind: "file", path: relative, data: Buffer.from(content), executable: true });
  }
  return cpioArchive(entries);
}

/** Makes an ext4 file system, without partitions, that holds these files. */
export async function guestDisk(options: DiskOptions): Promise<void> {
  const staging = await mkdtemp(join(tmpdir(), "xenolith-disk-"));
  try {
    for (const [path, content] of Object.entries(options.files ?? {})) {
      const file = join(staging, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content, { mode: 0o755 });
    }
    const how = ["-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", "-d", staging];
    await runTool("usr/sbin/mke2fs", [...how, options.path, `${options.sizeMiB}M`]);
  } finally {
    await rm(staging, { recursive: true });
  }
}

/** A file of an ext4 disk that no guest uses any more. Replays the disk's journal first. @throws TestbedError when there is none */
export async function readFromDisk(diskPath: string, file: string): Promise<Buffer> {
  const staging = await mkdtemp(join(tmpdir(), "xenolith-disk-"));
  try {
    const copy = join(staging, "file");
    await runTool("usr/sbin/e2fsck", ["-p", "-E", "journal_only", diskPath]);
    await runTool("usr/sbin/debugfs", ["-R", `dump "${file}" "${copy}"`, diskPath]);
    if (!(await exists(copy))) throw new TestbedError(`${diskPath} has no file ${file}`);
    return await readFile(copy);
  } finally {
    await rm(staging, { recursive: true });
  }
}

/** Puts a file, executable, into an ext4 disk that no guest uses; one that is there gives way. Its directory must be there. */
export async function writeToDisk(diskPath: string, file: string, content: string | Uint8Array): Promise<void> {
  const staging = await mkdtemp(join(tmpdir(), "xenolith-disk-"));
  try {
    const source = join(staging, "file");
    const commands = join(staging, "commands");
    await writeFile(source, content, { mode: 0o755 });
    await writeFile(commands, `rm "${file}"\nwrite "${source}" "${file}"\nset_inode_field "${file}" mode 0100755\n`);
    await runTool("usr/sbin/debugfs", ["-w", "-f", commands, diskPath]);
    // debugfs says nothing by its exit code
    assert.ok(Buffer.from(content).equals(await readFromDisk(diskPath, file)));
  } finally {
    await rm(staging, { recursive: true });
  }
}

/** Checks an ext4 disk all through, changing nothing. @throws TestbedError with what is wrong with it */
export async function checkDisk(diskPath: string): Promise<void> {
  await runTool("usr/sbin/e2fsck", ["-f", "-n", diskPath]);
}

async function runTool(program: string, args: readonly string[]): Promise<void> {
  const image: Image = await ensureImage(() => undefined);
  const tool = hostTool(image, program, args);
  await runHost(tool.file, tool.args, { env: { MKE2FS_CONFIG: join(image.root, "etc/mke2fs.conf") } });
}

async function readModule(file: string): Promise<Buffer> {
  if (!file.endsWith(".xz")) return await readFile(file);
  const { root } = await ensureImage(() => undefined);
  // Static, so it needs nothing of the tree but itself
  return await runHost(join(root, "usr/bin/busybox"), ["xz", "-d", "-c", file]);
}

/** "a/b/c" has "a" and "a/b". */
function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
