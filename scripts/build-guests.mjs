#!/usr/bin/env node
/**
 * Builds our freestanding guests with the system's gcc and binutils: guests/** -> guests/build/*.
 * Each output remembers the digest of everything that made it, so an unchanged one is not built again.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { hypercallTables } from "./hypercall-tables.mjs";

const run = promisify(execFile);
const GUESTS = fileURLToPath(new URL("../guests", import.meta.url));
const OUTPUT = join(GUESTS, "build");

/** General registers only: our guests save no vector state. Fixed addresses below 2 GiB: no relocation. */
const COMPILE = [
  "-std=gnu11",
  "-O2",
  "-Wall",
  "-Wextra",
  "-ffreestanding",
  "-fno-pic",
  "-fno-pie",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-fno-tree-loop-distribute-patterns",
  "-fcf-protection=none",
  "-m64",
  "-mno-red-zone",
  "-mgeneral-regs-only",
  "-mcmodel=small",
];
const LINK = [
  "-nostdlib",
  "-static",
  "-no-pie",
  "-Wl,--build-id=none",
  "-Wl,-z,noexecstack",
  "-Wl,-z,max-page-size=4096",
];

/** For guests that stay in 32-bit mode. */
const COMPILE_32 = [...COMPILE.filter((flag) => !["-m64", "-mno-red-zone", "-mcmodel=small"].includes(flag)), "-m32"];

/** Boot code alone: for guests in assembly. */
const BARE = [];
/** What a guest in C stands on. */
const LIB = ["boot.S", "start.c", "string.c", "format.c", "console.c", "hypercall.c"].map((file) => `lib/${file}`);
/** Interrupts, event channels and more CPUs on top of that. */
const SMP = [
  ...LIB,
  ...[
    "vectors.S",
    "trampoline.S",
    "idt.c",
    "apic.c",
    "acpi.c",
    "smp.c",
    "events.c",
    "fifo.c",
    "clock.c",
    "setup.c",
  ].map((file) => `lib/${file}`),
];
/** The same as LIB for 32-bit guests. */
const LIB_32 = LIB.map((file) => (file === "lib/boot.S" ? "lib/boot32.S" : file));
/** PCI, grants and xenstore on top of that. */
const PV = [
  ...SMP,
  ...["pci.c", "edu.c", "virtio.c", "ata.c", "grants.c", "xs.c", "blkfront.c", "tap.c"].map((file) => `lib/${file}`),
];

/** IDE drives by polling, and what is done to them by request. */
const IDE = ["lib/pci.c", "lib/ata.c", "ide-boot/drives.c", "ide-boot/service.c"];

/** The hypercall tables as C, written before the images that have them. */
const TABLES = "build/hypercall-tables.c";

/** Every output and what it is made of; `directory` stands for all its sources. */
const IMAGES = [
  { name: "hello.elf", kind: "pvh", lib: LIB, sources: ["hello/main.c"] },
  { name: "hello.multiboot.elf", kind: "multiboot", lib: LIB, sources: ["hello/main.c"] },
  { name: "triple-fault.elf", kind: "pvh", lib: BARE, sources: ["triple-fault/main.S"] },
  { name: "spin.elf", kind: "pvh", lib: BARE, sources: ["spin/main.S"] },
  { name: "bench.elf", kind: "pvh", lib: SMP, sources: ["bench/main.c", "bench/hypercalls.c", "bench/events.c"] },
  { name: "selftest.elf", kind: "pvh", lib: [...PV, TABLES], directory: "selftest" },
  { name: "selftest.multiboot.elf", kind: "multiboot", lib: [...PV, TABLES], directory: "selftest" },
  { name: "stress.elf", kind: "pvh", lib: PV, directory: "stress" },
  { name: "fuzz.elf", kind: "pvh", lib: PV, directory: "fuzz" },
  { name: "endings.elf", kind: "pvh", lib: PV, sources: ["endings/main.c"] },
  { name: "life.elf", kind: "pvh", lib: PV, sources: ["life/main.c"] },
  { name: "cpuid.elf", kind: "pvh", lib: PV, sources: ["cpuid/main.c"] },
  { name: "cpuid.multiboot.elf", kind: "multiboot", lib: PV, sources: ["cpuid/main.c"] },
  { name: "compat.elf", kind: "pvh", bits: 32, lib: [...LIB_32, "lib/tap.c"], directory: "compat" },
  { name: "compat.multiboot.elf", kind: "multiboot", bits: 32, lib: [...LIB_32, "lib/tap.c"], directory: "compat" },
  { name: "plain.elf", kind: "pvh", lib: LIB, sources: ["plain/main.c"] },
  { name: "plain32.elf", kind: "pvh", bits: 32, lib: LIB_32, sources: ["plain/main.c"] },
  { name: "plain32.multiboot.elf", kind: "multiboot", bits: 32, lib: LIB_32, sources: ["plain/main.c"] },
  { name: "plain32.bin", kind: "kludge", bits: 32, lib: LIB_32, sources: ["plain/main.c"] },
  { name: "ports.elf", kind: "pvh", lib: BARE, sources: ["bench/ports.S"] },
  { name: "firmware.bin", kind: "flat", lib: BARE, sources: ["bench/firmware.S"] },
  {
    name: "ide-boot.img",
    kind: "disk",
    lib: [...LIB, "lib/acpi.c", ...IDE],
    sources: ["ide-boot/sectors.S", "ide-boot/power.c", "ide-boot/main.c"],
    script: "ide-boot/disk.ld",
  },
  { name: "pam.bin", kind: "flat", lib: BARE, sources: ["pam/main.S"] },
  { name: "ide-service.elf", kind: "pvh", lib: [...LIB, ...IDE], sources: ["ide-boot/direct.c"] },
  { name: "kvm-loop", kind: "host", lib: BARE, sources: ["bench/kvm-loop.c"] },
];

/** What makes each kind of kernel bootable. */
const HEADERS = { pvh: ["lib/pvh-note.S"], multiboot: ["lib/multiboot-header.S"], kludge: ["lib/kludge-header.S"] };

class BuildError extends Error {}

async function tool(command, args) {
  try {
    return await run(command, args, { maxBuffer: 16 << 20 });
  } catch (cause) {
    if (cause.code === "ENOENT") {
      throw new BuildError(
        `Cannot build the guests: ${command} is not installed; run: apt-get install gcc binutils libc6-dev`,
      );
    }
    throw new BuildError(`Cannot build the guests: ${command} failed:\n${cause.stderr ?? cause.message}`);
  }
}

/** In the order of their names without the extension: "disk" before "disk-errors". Checks run in link order. */
async function sourcesOf(image) {
  if (image.directory === undefined) return image.sources;
  const files = (await readdir(join(GUESTS, image.directory))).filter((file) => /\.[cS]$/.test(file));
  const byStem = files.map((file) => file.slice(0, -2)).sort();
  return byStem.map((stem) => `${image.directory}/${files.find((file) => file.slice(0, -2) === stem)}`);
}

/** Digest of every file that could matter: headers are not traced one by one, as all together are small. */
async function digestOf(image, sources, compiler) {
  const hash = createHash("sha256").update(JSON.stringify([image, sources, COMPILE, LINK, compiler]));
  hash.update(await readFile(fileURLToPath(import.meta.url)));
  const headers = [];
  for (const directory of new Set(["lib", ...sources.map((file) => file.split("/")[0])])) {
    const files = await readdir(join(GUESTS, directory));
    headers.push(...files.filter((file) => /\.(h|ld|S)$/.test(file)).map((file) => `${directory}/${file}`));
  }
  for (const file of [...new Set([...headers, ...image.lib, ...sources])].sort()) {
    hash.update(file).update(await readFile(join(GUESTS, file)));
  }
  return hash.digest("hex");
}

async function compile(source, { bits = 64 }, work, log) {
  const object = join(work, `${source.replaceAll("/", "-")}.o`);
  const { stderr } = await tool("gcc", [
    ...(bits === 32 ? COMPILE_32 : COMPILE),
    "-c",
    join(GUESTS, source),
    "-o",
    object,
  ]);
  if (stderr !== "") log(stderr.trimEnd()); // warnings
  return object;
}

async function link(image, sources, work, log) {
  const out = join(work, image.name);
  if (image.kind === "host") {
    await tool("gcc", [
      "-std=gnu11",
      "-O2",
      "-Wall",
      "-Wextra",
      ...sources.map((file) => join(GUESTS, file)),
      "-o",
      out,
    ]);
    return out;
  }
  const header = HEADERS[image.kind] ?? [];
  const objects = [];
  for (const source of [...header, ...image.lib, ...sources]) objects.push(await compile(source, image, work, log));
  if (image.kind === "flat") {
    await tool("objcopy", ["-O", "binary", "-j", ".text", objects[0], out]);
    return out;
  }
  const script = join(GUESTS, image.script ?? "lib/guest.ld");
  const format = image.bits === 32 ? ["-m32"] : ["-m64"];
  await tool("gcc", [...LINK, ...format, "-T", script, ...objects, "-o", out]);
  if (image.kind === "disk" || image.kind === "kludge") await tool("objcopy", ["-O", "binary", out]);
  // Multiboot loaders take 32-bit ELF files only; the code inside is the same.
  if (image.kind === "multiboot" && image.bits !== 32) await tool("objcopy", ["-O", "elf32-i386", out]);
  return out;
}

async function build(image, compiler, log) {
  const sources = await sourcesOf(image);
  const stamp = join(OUTPUT, `.${image.name}.digest`);
  const target = join(OUTPUT, image.name);
  const digest = await digestOf(image, sources, compiler);
  const built = await Promise.all([stamp, target].map((file) => readFile(file).catch(() => undefined)));
  if (built[1] !== undefined && built[0]?.toString() === digest) return;
  const work = await mkdtemp(join(OUTPUT, ".work-"));
  try {
    const out = await link(image, sources, work, log);
    await rename(out, target); // in one step: another build may run beside this one
    await writeFile(stamp, digest);
    log(`built ${relative(join(GUESTS, ".."), target)}`);
  } catch (error) {
    if (image.kind !== "host") throw error;
    // Only the benchmark's C column needs it, and it needs the C library's headers, which the guests do not.
    log(`not built: ${image.name} (${error.message.trim().split("\n").at(-1)})`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function writeTables() {
  const text = await hypercallTables();
  if (text === undefined)
    throw new BuildError("Cannot build the guests: dist/ has no hypercall tables; run: npm run build");
  const target = join(GUESTS, TABLES);
  if ((await readFile(target, "utf8").catch(() => undefined)) === text) return;
  const draft = join(await mkdtemp(join(OUTPUT, ".work-")), "tables.c");
  await writeFile(draft, text);
  await rename(draft, target); // in one step: another build may read it
  await rm(dirname(draft), { recursive: true });
}

/** Brings guests/build up to date; `names` picks some images, default all. */
export async function buildGuests({ log = console.log, names = [] } = {}) {
  await mkdir(OUTPUT, { recursive: true });
  const compiler = (await tool("gcc", ["--version"])).stdout.split("\n")[0];
  const images = IMAGES.filter(({ name }) => names.length === 0 || names.includes(name));
  if (images.some(({ lib }) => lib.includes(TABLES))) await writeTables();
  for (const image of images) await build(image, compiler, log);
}

if (process.argv[1] !== undefined && basename(process.argv[1]) === "build-guests.mjs") {
  try {
    await buildGuests({ names: process.argv.slice(2) });
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
