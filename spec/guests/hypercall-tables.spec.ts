/** The self-test guest is made of the hypercall tables: each row that a running 64-bit guest can make is in it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PROJECT } from "../support/project.js";
import { TABLES, UNKNOWN } from "../xen/hypercalls/tables/all.js";
import type { Row } from "../xen/hypercalls/tables/row.js";

interface Generator {
  hypercallTables(): Promise<string | undefined>;
}

async function source(): Promise<string> {
  const script = pathToFileURL(join(PROJECT, "scripts", "hypercall-tables.mjs")).href;
  const text = await ((await import(script)) as Generator).hypercallTables();
  assert(text !== undefined);
  return text;
}

function isForGuest({ mode, cpl, notInGuest }: Row): boolean {
  return mode !== 32 && cpl === undefined && notInGuest === undefined;
}

describe("scripts/hypercall-tables.mjs", () => {
  it("has a check for each table, whose title counts its rows", async () => {
    const titles = [...(await source()).matchAll(/^CHECK\(\w+, "tables", "(.+)"\)/gm)].map(([, title]) => title);
    const wanted = [...TABLES, UNKNOWN].map(({ name, operations }) => {
      const count = operations.flatMap(({ rows }) => rows.filter(isForGuest)).length;
      return `${name}, ${count} rows`;
    });
    assert.deepEqual(titles, wanted);
  });

  it("leaves out those for 32-bit callers, and those that say why", async () => {
    const text = await source();
    for (const { operations } of TABLES) {
      for (const { name, rows } of operations) {
        for (const row of rows) assert.equal(text.includes(`"${name}: ${row.name}"`), isForGuest(row), row.name);
      }
    }
  });

  it("tells places, frames, saved values, time and vCPUs apart", async () => {
    const text = await source();
    for (const base of ["ADDRESS, PLACE_READ_ONLY", "FRAME, PLACE_OTHER_SPARE", "SAVED, 1", "NOW, 0", "VCPU, 1"]) {
      assert(text.includes(`BASE_${base},`), base);
    }
  });
});
