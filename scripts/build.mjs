/** Builds everything that runs: our guests with the system's compiler, and TypeScript into dist/, and bundles it. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { ensurePackages } from "./system-packages.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

// Our guests are freestanding: a compiler and binutils are enough. One host program of the benchmarks wants libc and KVM's header.
ensurePackages([
  { program: "gcc", package: "gcc" },
  { program: "ld", package: "binutils" },
  { file: "/usr/include/stdio.h", package: "libc6-dev" },
  { file: "/usr/include/linux/kvm.h", package: "linux-libc-dev" },
]);
run(process.execPath, [require.resolve("typescript/lib/tsc.js"), "-p", join(root, "tsconfig.json")]);
// After the compiler: the self-test guest is made of the hypercall tables, too.
run(process.execPath, [join(root, "scripts", "build-guests.mjs")]);
run(process.execPath, [join(root, "scripts", "bundle.mjs")]);
