/** The programs that are compared: ours with either binding, QEMU, and the plainest loop in C. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { guestImage, PROJECT } from "../support/project.js";
import { BenchError } from "./errors.js";
import type { Program } from "./process.js";

export type Binding = "koffi" | "ffi-rs";

const QEMU = "qemu-system-x86_64";
const QEMU_PACKAGE = "qemu-system-x86";
/** RAM of every guest here, in MiB. */
export const GUEST_MIB = 128;
/** What both get: the same board, and the device by which a guest ends its VMM. */
export const GUEST_OPTIONS = [
  ...["-M", "pc", "-m", String(GUEST_MIB), "-display", "none"],
  ...["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
];
export const WITHOUT_XEN = "kvm,kernel-irqchip=split";
export const WITH_XEN = "kvm,xen-version=0x4000a,kernel-irqchip=split";

/** The bindings that are installed, the one that is used by default first: koffi is optional. */
export function bindings(): readonly [Binding, ...Binding[]] {
  try {
    createRequire(import.meta.url).resolve("koffi");
    return ["koffi", "ffi-rs"];
  } catch {
    return ["ffi-rs"];
  }
}

/** Our launcher, as users get it. */
export function xenolith(binding: Binding, accel: string, args: readonly string[]): Program {
  const { bin } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as {
    readonly bin: { readonly xenolith: string };
  };
  return {
    file: process.execPath,
    args: [join(PROJECT, bin.xenolith), ...GUEST_OPTIONS, "-accel", accel, ...args],
    env: { XENOLITH_FFI: binding },
  };
}

export function qemu(args: readonly string[]): Program {
  return { file: QEMU, args: [...GUEST_OPTIONS, "-accel", WITHOUT_XEN, ...args] };
}

/** The C loop over a firmware image; undefined where it could not be built. */
export function kvmLoop(firmware: string): Program | undefined {
  const file = guestImage("kvm-loop");
  return existsSync(file) ? { file, args: [firmware] } : undefined;
}

/** Whether there is a QEMU to compare with. Root installs it; anyone else is told how. */
export function ensureQemu(log: (line: string) => void): boolean {
  if (isInstalled()) return true;
  const install = ["install", "--yes", "--no-install-recommends", QEMU_PACKAGE];
  if (process.getuid?.() !== 0) {
    log(`bench: nothing to compare with: ${QEMU} is not installed. Run: sudo apt-get ${install.join(" ")}`);
    return false;
  }
  log(`bench: installing ${QEMU_PACKAGE}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], install]) spawnSync("apt-get", args, { env, stdio: "ignore" });
  if (isInstalled()) return true;
  log(`bench: nothing to compare with: apt-get ${install.join(" ")} failed`);
  return false;
}

function isInstalled(): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, QEMU)));
}

/** @throws BenchError with what to do, when our guests are not there */
export function requireGuest(name: string): string {
  const file = guestImage(name);
  if (!existsSync(file)) throw new BenchError(`${file} is not there: npm run build makes it`);
  return file;
}
