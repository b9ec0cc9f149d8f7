/** Structs are laid out when they are first used: here all are, so that none disagrees with its sizeof unseen. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Struct } from "../../shared/struct.js";
import { COMPILED } from "../support/project.js";
import { sourceFiles } from "../support/sources.js";

/** Declarations, each with how many structs it makes. */
const DECLARATIONS = [
  { pattern: /= struct\(/g, structs: 1 },
  { pattern: /= dualStruct\(/g, structs: 2 },
] as const;
/** Files that keep theirs to themselves, and whose specs use them all. */
const PRIVATE: readonly string[] = ["devices/boot/multiboot.ts", "devices/boot/pvh.ts"];
/** How deep in what a module exports they are: in tables of layouts, for one. */
const DEPTH = 3;

function declaredIn(source: string): number {
  return DECLARATIONS.reduce((sum, { pattern, structs }) => sum + (source.match(pattern)?.length ?? 0) * structs, 0);
}

function isStruct(value: object): value is Struct<Record<string, never>> {
  return "view" in value && "offsets" in value && "sizes" in value;
}

function structsOf(value: unknown, depth = DEPTH): ReadonlySet<Struct<Record<string, never>>> {
  if (typeof value !== "object" || value === null || depth < 0) return new Set();
  if (isStruct(value)) return new Set([value]);
  return new Set(Object.values(value).flatMap((inner) => [...structsOf(inner, depth - 1)]));
}

describe("Declared structs", () => {
  for (const { path, lines } of sourceFiles()) {
    if (!/^(actors|devices|shared|xen)\//.test(path) || PRIVATE.includes(path)) continue;
    const declared = declaredIn(lines.join("\n"));
    if (declared === 0) continue;
    it(`have fields that add up to their sizeof: ${path}`, async () => {
      const module = (await import(pathToFileURL(join(COMPILED, path.replace(/\.ts$/, ".js"))).href)) as object;
      const structs = structsOf(module);
      assert.equal(structs.size, declared, "a struct that the module does not export is seen by nobody");
      for (const { name, offsets } of structs) assert(Object.keys(offsets).length > 0, name);
    });
  }
});
