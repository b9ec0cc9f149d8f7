/**
 * Bundles the launcher and each kind of thread into one CommonJS file each, in dist/bundle, with a V8 code cache. Loading a
 * hundred small modules in every thread, and compiling them, costs more than all the rest of a machine's start
 * (docs/performance.md).
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { build } from "esbuild";
import { canOpenKvm } from "./host-kvm.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const outdir = join(dist, "bundle");
/** Those whose code is compiled ahead: the launcher, and each kind of thread. */
const entries = {
  xenolith: join(dist, "cli", "main.js"),
  ...Object.fromEntries(
    ["vcpu-role", "device-role", "disk-role", "net-role"].map((name) => [name, join(dist, "actors", `${name}.js`)]),
  ),
};
/** For how long a guest spins, in turn, until each kind of thread has left its cache: by then all are up, but on a busy host. */
const SPIN_MS = [1000, 4000, 16_000];

mkdirSync(outdir, { recursive: true });
for (const file of readdirSync(outdir)) rmSync(join(outdir, file));
writeFileSync(join(outdir, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
/** Small files of their own, which the launcher loads before its code: the threads that they start must be known to that. */
const early = {
  "first-thread": join(dist, "cli", "first-thread.js"),
  "spare-workers": join(dist, "actors", "spare-workers.js"),
};
const earlyFiles = {
  name: "early-files",
  setup({ onResolve }) {
    onResolve({ filter: /\/(first-thread|spare-workers)\.js$/ }, ({ kind, path }) =>
      kind === "entry-point" ? undefined : { path: `./${basename(path)}`, external: true },
    );
  },
};

/** A bundle has a `require` by itself. */
const ownRequire = {
  name: "own-require",
  setup({ onLoad }) {
    onLoad({ filter: /\/native-require\.js$/ }, () => ({ contents: "export const nativeRequire = require;" }));
  },
};

const BUNDLE_URL = 'const bundle = { get url() { return require("node:url").pathToFileURL(__filename).href; } };';

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
  define: { "import.meta.url": "bundle.url" },
  plugins: [earlyFiles, ownRequire],
  banner: { js: BUNDLE_URL },
  logLevel: "warning",
};
// What bundle-loader.cjs runs: the function that Node makes of a module, as an expression
const wrapped = {
  banner: { js: `(function (exports, require, module, __filename, __dirname) {${BUNDLE_URL}` },
  footer: { js: "})" },
};
await build({ ...options, ...wrapped, entryPoints: entries, outExtension: { ".js": ".code.js" } });
await build({ ...options, entryPoints: early });
// The pool calls what the file exports.
await build({ ...options, entryPoints: { "dump-task": join(dist, "actors", "dump", "dump-task.js") } });
const loader = readFileSync(join(root, "scripts", "bundle-loader.cjs"), "utf8");
for (const name of Object.keys(entries)) {
  // The launcher is also run by its own name.
  writeFileSync(join(outdir, `${name}.js`), `#!/usr/bin/env node\n${loader}`);
  chmodSync(join(outdir, `${name}.js`), 0o755);
}
makeCodeCaches();

/**
 * Runs small guests, so that the caches hold what every start runs: one that ends at once for the launcher, vCPUs and devices;
 * one that spins for threads that start later, until they have been up and are told to end. What is not known to run, as on
 * a host without KVM, goes into its cache as a whole: larger, and so slower to load, but faster than to compile.
 */
function makeCodeCaches() {
  if (canOpenKvm() && ["hello", "spin"].every((name) => existsSync(guestImage(name)))) runSmallGuests();
  Object.keys(entries)
    .filter((name) => !hasCache(name))
    .forEach(compileWhole);
}

function runSmallGuests() {
  const folder = mkdtempSync(join(tmpdir(), "xenolith-bundle-"));
  const disk = join(folder, "disk");
  writeFileSync(disk, Buffer.alloc(64 * 1024));
  const machine = ["--accel", "kvm,xen-version=0x4000a", "--serial", "none"];
  leaveCaches([...machine, "--kernel", guestImage("hello")], 60_000);
  const devices = [
    ...["--drive", `file=${disk},format=raw,if=ide`],
    ...["--netdev", `stream,id=net,server=on,addr.type=unix,addr.path=${join(folder, "net")}`],
    ...["--device", "virtio-net-pci,netdev=net"],
  ];
  // Whatever comes of it: what has no cache by then is compiled whole.
  for (const ms of SPIN_MS) {
    if (Object.keys(entries).every(hasCache)) break;
    leaveCaches([...machine, "--kernel", guestImage("spin"), ...devices], ms);
  }
  rmSync(folder, { recursive: true, force: true });
}

function hasCache(name) {
  return existsSync(join(outdir, `${name}.code.cache`));
}

function compileWhole(name) {
  const filename = join(outdir, `${name}.code.js`);
  // V8's flags are part of what makes a cache valid: those of its making must be those of its use
  setFlagsFromString("--no-lazy");
  const script = new Script(readFileSync(filename, "latin1"), { filename });
  setFlagsFromString("--lazy");
  writeFileSync(join(outdir, `${name}.code.cache`), script.createCachedData());
}

function guestImage(name) {
  return join(root, "guests", "build", `${name}.elf`);
}

/** Runs the launcher for at most `ms`: the signal ends it as it does for users, its threads in order. */
function leaveCaches(args, ms) {
  const env = { ...process.env, XENOLITH_CODE_CACHE: "write" };
  spawnSync(process.execPath, [join(outdir, "xenolith.js"), ...args], { env, stdio: "ignore", timeout: ms });
}
