/** What the documents refer to exists: files behind links and in inline code, npm scripts, settings of the configuration. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { machineConfigSchema } from "../../shared/config/schema.js";
import { PROJECT } from "../support/project.js";

const DOCUMENTS = [
  ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SPECIFICATION.md"],
  ...readdirSync(join(PROJECT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

function textOf(document: string): string {
  return readFileSync(join(PROJECT, document), "utf8");
}

function matches(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map(([, match = ""]) => match);
}

/** Paths in inline code that start with a folder of ours, without what only stands for something. */
function namedFiles(text: string): readonly string[] {
  const paths = matches(text, /`((?:actors|cli|devices|guests|scripts|shared|spec|stress|xen|docs)\/[\w./-]*)`/g);
  return paths.filter((path) => !path.startsWith("guests/build/"));
}

/** `disks[].path` and so on: every setting without settings of its own. */
function settings(schema: unknown, path: string): readonly string[] {
  const node = schema as {
    readonly wrapped?: unknown;
    readonly item?: unknown;
    readonly pipe?: readonly unknown[];
    readonly entries?: Readonly<Record<string, unknown>>;
  };
  if (node.wrapped !== undefined) return settings(node.wrapped, path);
  if (node.entries !== undefined) {
    return Object.entries(node.entries).flatMap(([name, entry]) =>
      settings(entry, path === "" ? name : `${path}.${name}`),
    );
  }
  if (node.item !== undefined) return settings(node.item, `${path}[]`);
  return [path];
}

describe("the documents", () => {
  for (const document of DOCUMENTS) {
    it(`${document} refers to files that exist`, () => {
      const text = textOf(document);
      const links = matches(text, /\]\((?!https?:|#)([^)#]+)/g).map((link) => join(dirname(document), link));
      const missing = [...links, ...namedFiles(text)].filter((path) => !existsSync(join(PROJECT, path)));
      assert.deepEqual(missing, []);
    });

    it(`${document} names npm scripts that exist`, () => {
      const { scripts } = JSON.parse(textOf("package.json")) as { readonly scripts: Readonly<Record<string, string>> };
      const named = matches(textOf(document), /npm run ([a-z]+)/g);
      assert.deepEqual(
        named.filter((name) => scripts[name] === undefined),
        [],
      );
    });
  }

  it("docs/configuration.md has a row for each setting", () => {
    const rows = matches(textOf(join("docs", "configuration.md")), /^\| `([^`]+)` \|/gm);
    const wanted = settings(machineConfigSchema, "");
    assert.deepEqual([...rows].sort(), [...wanted].sort());
  });

  it("docs/dependencies.md has a row for each package that package.json asks for", () => {
    const listed = matches(textOf(join("docs", "dependencies.md")), /^\| `([^`]+)` \|/gm);
    const groups = JSON.parse(textOf("package.json")) as Readonly<Record<string, Readonly<Record<string, string>>>>;
    const wanted = ["dependencies", "optionalDependencies", "devDependencies"].flatMap((group) =>
      Object.keys(groups[group] ?? {}),
    );
    assert.deepEqual([...listed].sort(), wanted.sort());
  });
});
