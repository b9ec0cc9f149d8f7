/** The project's source files and what their comments say, for specs about the sources themselves. */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { PROJECT } from "./project.js";

const ROOMS = ["actors", "cli", "devices", "guests", "scripts", "shared", "spec", "stress", "xen"];
const EXTENSIONS = new Set([".ts", ".mjs", ".cjs", ".c", ".h", ".S"]);
/** What the compiler made of our guests. */
const GENERATED = join("guests", "build");

export interface SourceFile {
  /** Relative to the project. */
  readonly path: string;
  readonly lines: readonly string[];
}

export function sourceFiles(): readonly SourceFile[] {
  const paths = ["index.ts", "package-root.ts", "prewarm.ts", ...ROOMS.flatMap(filesBelow)];
  return paths.map((path) => ({ path, lines: readFileSync(join(PROJECT, path), "utf8").split("\n") }));
}

function filesBelow(folder: string): readonly string[] {
  if (folder === GENERATED) return [];
  return readdirSync(join(PROJECT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() && EXTENSIONS.has(extname(entry.name)) ? [path] : [];
  });
}

/** What stands in a comment on `line`; empty when there is none. Lines inside a block comment start with a star here. */
export function commentOn(line: string): string {
  if (/^\s*\*/.test(line)) return line;
  const block = /\/\*.*?(?:\*\/|$)/.exec(line);
  if (block !== null && !/["'`]/.test(line.slice(0, block.index))) return block[0];
  return /(?:^|\s)\/\/\s.*$/.exec(line)?.[0] ?? "";
}
