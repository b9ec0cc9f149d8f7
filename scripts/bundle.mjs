/**
 * Bundles the launcher and the workers' code into one CommonJS file each, in dist/bundle, with a V8 code cache. Loading a
 * hundred small modules in every thread, and compiling them, costs more than all the rest of a machine's start
 * (docs/performance.md).
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const outdir = join(dist, "bundle");
const entries = {
  xenolith: join(dist, "cli", "main.js"),
  "actor-worker": join(dist, "actors", "actor-worker.js"),
};
/** The thread whose code cache is kept: the launcher's own, and the first worker's, which is the first vCPU's. */
const CACHED_THREAD = { xenolith: 0, "actor-worker": 1 };

mkdirSync(outdir, { recursive: true });
for (const file of readdirSync(outdir)) rmSync(join(outdir, file));
writeFileSync(join(outdir, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
/** What the launcher, the workers and the pool's task have in common. */
const options = {
  outdir,
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  sourcemap: true,
  // Native bindings, and what most runs never load.
  external: ["ffi-rs", "koffi", "pino", "piscina"],
  // A script that was compiled from a cache cannot import: what is loaded late is required.
  supported: { "dynamic-import": false },
  // A worker finds its siblings beside itself.
  define: { "import.meta.url": "bundleUrl" },
  banner: { js: 'const bundleUrl = require("node:url").pathToFileURL(__filename).href;' },
  logLevel: "warning",
};
await build({ ...options, entryPoints: entries, outExtension: { ".js": ".code.js" } });
// The pool calls what the file exports.
await build({ ...options, entryPoints: { "dump-task": join(dist, "actors", "dump", "dump-task.js") } });
const loader = readFileSync(join(root, "scripts", "bundle-loader.cjs"), "utf8");
for (const name of Object.keys(entries)) {
  // The launcher is also run by its own name.
  writeFileSync(join(outdir, `${name}.js`), `#!/usr/bin/env node\n${loader}`);
  chmodSync(join(outdir, `${name}.js`), 0o755);
}
makeCodeCaches();

/** Runs the smallest guest there is, so that the caches hold what every start runs; without KVM, just loads the launcher. */
function makeCodeCaches() {
  const guest = join(root, "guests", "build", "hello.elf");
  const canRun = existsSync(guest) && existsSync("/dev/kvm");
  const args = canRun ? ["--accel", "kvm,xen-version=0x4000a", "--kernel", guest, "--serial", "none"] : ["--version"];
  const env = { ...process.env, XENOLITH_CODE_CACHE: "write" };
  // Whatever comes of it: a start without caches is only slower.
  spawnSync(process.execPath, [join(outdir, "xenolith.js"), ...args], { env, stdio: "ignore", timeout: 60_000 });
  for (const [name, thread] of Object.entries(CACHED_THREAD)) {
    const cache = join(outdir, `${name}.code.cache`);
    if (existsSync(`${cache}.${thread}`)) renameSync(`${cache}.${thread}`, cache);
  }
  for (const file of readdirSync(outdir)) if (/\.cache\.\d+$/.test(file)) rmSync(join(outdir, file));
}
