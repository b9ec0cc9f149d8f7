/** The rules of .dependency-cruiser.cjs: they hold, and each of them bites when somebody breaks it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PROJECT } from "./support/project.js";
import { temporaryFolder } from "./support/temporary.js";

interface Summary {
  readonly summary: {
    readonly violations: readonly { readonly rule: { readonly name: string }; readonly from: string }[];
  };
}

/** Each leak: where it is planted, what it says, and the rule that must find it. */
const LEAKS = [
  ["shared/leak.ts", 'import "../xen/innocent.js";', "shared-imports-only-itself"],
  ["xen/leak.ts", 'import "../devices/innocent.js";', "xen-imports-only-shared"],
  ["devices/leak.ts", 'import "../actors/innocent.js";', "devices-imports-only-shared-xen"],
  ["actors/leak.ts", 'import "../cli/innocent.js";', "actors-imports-only-shared-devices-xen"],
  ["actors/front-leak.ts", 'import "../index.js";', "actors-imports-only-shared-devices-xen"],
  ["actors/stress-leak.ts", 'import "../stress/innocent.js";', "actors-imports-only-shared-devices-xen"],
  ["stress/leak.ts", 'import "../xen/innocent.js";', "stress-imports-only-shared-actors"],
  ["stress/front-leak.ts", 'import "../index.js";', "stress-imports-only-shared-actors"],
  ["cli/leak.ts", 'import "../shared/innocent.js";', "cli-imports-only-the-front-door"],
  ["cli/stress-leak.ts", 'import "../stress/innocent.js";', "cli-imports-only-the-front-door"],
  ["devices/host-leak.ts", 'import "node:fs";', "pure-rooms-import-no-host"],
  ["shared/bare-host-leak.ts", 'import "fs";', "pure-rooms-import-no-host"],
  ["actors/spec-leak.ts", 'import "../spec/innocent.js";', "no-spec-imports"],
  ["xen/lost.ts", 'import "./nowhere.js";', "not-to-unresolvable"],
  ["xen/one.ts", 'import "./other.js";', "no-cycles"],
  // Not even types point upward.
  [
    "xen/type-leak.ts",
    'import type { A } from "../devices/innocent.js";\nexport type B = A;',
    "xen-imports-only-shared",
  ],
] as const;

const ROOMS = ["actors", "stress", "devices", "xen", "shared", "cli", "spec"] as const;

describe("The arrows between the rooms", function () {
  this.timeout(60_000);
  const folder = temporaryFolder();
  let violations: readonly (readonly [string, string])[] = [];

  before(() => {
    const put = (path: string, text: string): void => {
      mkdirSync(dirname(folder.path(path)), { recursive: true });
      writeFileSync(folder.path(path), `${text}\n`);
    };
    for (const file of [".dependency-cruiser.cjs", "tsconfig.json", "package.json"]) {
      cpSync(join(PROJECT, file), folder.path(file));
    }
    symlinkSync(join(PROJECT, "node_modules"), folder.path("node_modules"));
    for (const room of ROOMS) put(`${room}/innocent.ts`, "export type A = 1;\nexport const a: A = 1;");
    put("index.ts", 'export { a } from "./shared/innocent.js";');
    put("xen/other.ts", 'import "./one.js";');
    // What is allowed, so that the rules do not just refuse everything.
    put(
      "actors/fine.ts",
      'import "../shared/innocent.js";\nimport "../xen/innocent.js";\nimport "../devices/innocent.js";\nimport "node:fs";',
    );
    put("stress/fine.ts", 'import "../shared/innocent.js";\nimport "../actors/innocent.js";\nimport "node:fs";');
    put("cli/fine.ts", 'import "../index.js";');
    put("spec/fine.ts", 'import "../actors/innocent.js";');
    for (const [path, text] of LEAKS) put(path, text);
    const depcruise = join(PROJECT, "node_modules", "dependency-cruiser", "bin", "dependency-cruise.mjs");
    const options = ["--config", ".dependency-cruiser.cjs", "--output-type", "json"];
    const { stdout } = spawnSync(process.execPath, [depcruise, ...options, ...ROOMS, "index.ts"], {
      cwd: folder.path("."),
      encoding: "utf8",
      maxBuffer: 1 << 24,
    });
    violations = (JSON.parse(stdout) as Summary).summary.violations.map(({ rule, from }) => [from, rule.name]);
  });

  for (const [path, text, rule] of LEAKS) {
    it(`break at ${path}: ${text.split("\n")[0] ?? ""}`, () => {
      const found = violations.filter(([from]) => from === path).map(([, name]) => name);
      assert(found.includes(rule), `${rule} is not among ${found.join(", ") || "no violations"}`);
    });
  }

  it("hold for what is allowed", () => {
    assert.deepEqual(
      violations.filter(([from]) => /innocent|fine|^index/.test(from)),
      [],
    );
  });
});
