/**
 * The last column of docs/hardening.md, from the names of specs: which of them hold each case. The others are written by
 * hand. `node scripts/hardening.mjs` writes it; spec/docs/hardening.spec.ts fails when it is not what this would write.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** In the name of a spec, or of a check of the self-test: `X8: …`, `… (K10)`, `… (G3, G4)`. */
const NAMED = /(?<=["'`([]|, )([HEGXKIPQUWLCV]\d{1,2})(?=[):,;] ?)/g;
/** Case, what comes, what follows; and what held it the last time. */
const ROW = /^\| ([A-Z]\d+) \| ([^|]*) \| ([^|]*) \|(?: [^|]* \|)?$/;
const HEADS = new Map([
  ["| case | what comes | what follows |", "| case | what comes | what follows | held by |"],
  ["|---|---|---|", "|---|---|---|---|"],
]);

/** The cases that a line of a spec names. */
export function casesOn(line) {
  return [...line.matchAll(NAMED)].map(([, name]) => name);
}

/** The page with its last column anew. `sources` are specs and self-test checks: `{ path, lines }`. */
export function renderHardening(page, sources) {
  const holders = new Map();
  for (const { path, lines } of sources) {
    for (const name of lines.flatMap(casesOn)) holders.set(name, (holders.get(name) ?? new Set()).add(path));
  }
  return page
    .split("\n")
    .map((line) => {
      const [, name, comes, follows] = ROW.exec(line) ?? [];
      if (name === undefined) return HEADS.get(line) ?? line;
      const paths = [...(holders.get(name) ?? [])].sort().map((path) => `\`${path}\``);
      return `| ${name} | ${comes} | ${follows} | ${paths.join(", ")} |`;
    })
    .join("\n");
}

/** True for files whose names of specs count. */
export function isHolder(path) {
  return (
    (path.endsWith(".spec.ts") && path !== "spec/docs/hardening.spec.ts") ||
    /^guests\/selftest\/.*\.c$/.test(path) ||
    // Rows of the hypercall tables are specs, too.
    path.startsWith("spec/xen/hypercalls/tables/")
  );
}

function filesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(root, "docs", "hardening.md");
  const sources = ["spec", "guests/selftest"]
    .flatMap(filesBelow)
    .filter(isHolder)
    .map((file) => ({ path: file, lines: readFileSync(join(root, file), "utf8").split("\n") }));
  writeFileSync(path, renderHardening(readFileSync(path, "utf8"), sources));
}
