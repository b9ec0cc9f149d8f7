/**
 * The hypercall tables, which are compiled TypeScript in dist/spec/xen/hypercalls/tables, as C for the self-test guest:
 * rows for a 64-bit caller, a check for each table. guests/selftest/tables.h declares the structs.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const TABLES = new URL("../dist/spec/xen/hypercalls/tables/", import.meta.url);

/** A guest of ours is a 64-bit one. */
const MODE = 64;

const HEADER = `/* Written by scripts/hypercall-tables.mjs. */
#include "../selftest/check.h"
#include "../selftest/tables.h"
`;

const BASES = {
  none: () => "BASE_NONE, 0",
  address: ({ place }) => `BASE_ADDRESS, PLACE_${nameInC(place)}`,
  frame: ({ place }) => `BASE_FRAME, PLACE_${nameInC(place)}`,
  saved: ({ slot }) => `BASE_SAVED, ${slot}`,
  now: () => "BASE_NOW, 0",
  vcpu: ({ other }) => `BASE_VCPU, ${other ? 1 : 0}`,
};

function nameInC(text) {
  return text.replace(/[^a-z]/g, "_").toUpperCase();
}

function value({ base, plus }) {
  return `{ ${BASES[base.kind](base)}, 0x${BigInt.asUintN(64, plus).toString(16)} }`;
}

/** An array of C structs, or nothing when it is empty; its name, or NULL. */
function array(lines, type, name, items) {
  if (items.length === 0) return "NULL";
  lines.push(`static const struct ${type} ${name}[] = {`, ...items.map((item) => `  ${item},`), "};");
  return name;
}

function call(lines, name, encoded) {
  const { number, args, areas, stores, result, checks, loads, resultSlot, partial } = encoded;
  const area = areas.map(({ at, size }) => `{ ${value(at)}, ${size} }`);
  const store = stores.map(({ at, value: given, size }) => `{ ${value(at)}, ${value(given)}, ${size} }`);
  const check = checks.map(
    ({ at, range, size }) => `{ ${value(at)}, ${value(range.low)}, ${value(range.high)}, ${size} }`,
  );
  const load = loads.map(({ at, size, slot }) => `{ ${value(at)}, ${size}, ${slot} }`);
  const fields = [
    `.number = ${number}`,
    `.result_slot = ${resultSlot}`,
    `.partial = ${partial}`,
    `.arguments = { ${args.map(value).join(", ")} }`,
    `.low = ${value(result.low)}`,
    `.high = ${value(result.high)}`,
    `.areas = ${areas.length}`,
    `.area = ${array(lines, "table_area", `${name}_areas`, area)}`,
    `.stores = ${stores.length}`,
    `.store = ${array(lines, "table_store", `${name}_stores`, store)}`,
    `.checks = ${checks.length}`,
    `.check = ${array(lines, "table_check", `${name}_checks`, check)}`,
    `.loads = ${loads.length}`,
    `.load = ${array(lines, "table_load", `${name}_loads`, load)}`,
  ];
  return `{ ${fields.join(", ")} }`;
}

function table({ name, operations }, index, encode) {
  const lines = [];
  const rows = operations.flatMap((operation) =>
    operation.rows
      .filter(({ mode, notInGuest }) => (mode ?? MODE) === MODE && notInGuest === undefined)
      .map((row, i) => {
        const id = `t${index}_${Math.abs(operation.number)}_${i}_${lines.length}`;
        const calls = [...row.first, row.call, ...row.last].map((one, k) =>
          call(lines, `${id}_${k}`, encode(one, MODE)),
        );
        array(lines, "table_call", id, calls);
        return `{ ${JSON.stringify(`${operation.name}: ${row.name}`)}, ${row.vcpus}, ${calls.length}, ${id} }`;
      }),
  );
  if (rows.length === 0) return "";
  const title = `${name}, ${rows.length} row${rows.length === 1 ? "" : "s"}`;
  array(lines, "table_row", `rows_${index}`, rows);
  const check = `CHECK(table_${index}, "tables", ${JSON.stringify(title)}) { run_table(rows_${index}, ${rows.length}); }`;
  return [...lines, check, ""].join("\n");
}

/** C source of the tables; undefined while they are not compiled. */
export async function hypercallTables() {
  if (!existsSync(fileURLToPath(new URL("all.js", TABLES)))) return undefined;
  const { TABLES: tables, UNKNOWN } = await import(new URL("all.js", TABLES));
  const { encode } = await import(new URL("encode.js", TABLES));
  return [HEADER, ...[...tables, UNKNOWN].map((one, index) => table(one, index, encode))].join("\n");
}
