/**
 * Bundles the launcher and the workers' code into one CommonJS file each, in dist/bundle. Loading a hundred small modules in
 * every thread costs more time than all the rest of a machine's start (docs/performance.md).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const dist = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");
const outdir = join(dist, "bundle");

mkdirSync(outdir, { recursive: true });
writeFileSync(join(outdir, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
await build({
  entryPoints: {
    xenolith: join(dist, "cli", "main.js"),
    "actor-worker": join(dist, "actors", "actor-worker.js"),
  },
  outdir,
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  sourcemap: true,
  // Native bindings, and what most runs never load.
  external: ["ffi-rs", "koffi", "pino", "piscina"],
  // A worker finds its siblings beside itself.
  define: { "import.meta.url": "bundleUrl" },
  banner: { js: 'const bundleUrl = require("node:url").pathToFileURL(__filename).href;' },
  logLevel: "warning",
});
