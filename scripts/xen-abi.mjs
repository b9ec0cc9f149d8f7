/**
 * docs/xen-abi.md, from the tables that dispatch hypercalls and from those that say what comes of them (in
 * spec/xen/hypercalls/tables). `npm run build && node scripts/xen-abi.mjs` writes it; spec/docs/xen-abi.spec.ts fails when it
 * is not what this would write.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const ROWS = "../spec/xen/hypercalls/tables";

const INTRODUCTION = `# The Xen ABI that guests meet

Written by \`scripts/xen-abi.mjs\` from \`xen/hypercalls/table.ts\`, which dispatches, and from the rows in
\`spec/xen/hypercalls/tables\`: change those, not this page.

Every hypercall and sub-operation that is not listed answers -ENOSYS, and the first use of each is logged with its arguments.
A pointer that leads nowhere answers -EFAULT where no row says otherwise. **argument** is the C struct behind the pointer, with its size for 64-bit and
32-bit callers where those differ (empty where the handler reads registers, or the guest's memory, itself); **in**, **out**
and **inout** say which way it is copied. **answers** are the results that the rows show, and **rows** how many there are:
caller's mode, arguments and memory before, result and memory after. \`spec/xen/hypercalls/tables.spec.ts\` runs them for 64-bit
and 32-bit callers, and the self-test guest (\`xenolith selftest --group tables\`) those that a running guest can make.
`;

const HEAD = [
  "| number | sub-operation | argument | direction | what we do | answers | rows |",
  "|---|---|---|---|---|---|---|",
];

function argumentOf({ argument }) {
  if (argument === undefined) return "";
  const { wide, compat } = argument;
  return `\`${wide.name}\`, ${wide.size}${wide.size === compat.size ? "" : `/${compat.size}`} bytes`;
}

/** One result as a row gives it: a number, or the least and the greatest. */
function answer(result, errnoNames) {
  if (typeof result !== "object") return errnoNames.get(result) ?? String(result);
  const { low, high } = result;
  return high.plus === UNBOUNDED ? `${low.plus} and more` : `${low.plus} to ${high.plus}`;
}

/** What a range without an upper bound ends with: the greatest of 32 bits. */
const UNBOUNDED = 0x7fff_ffffn;

function answers({ rows }, errnoNames) {
  const all = [...new Set(rows.map(({ call }) => answer(call.result, errnoNames)))];
  return all.length === 1 && all[0].startsWith("-") ? `always ${all[0]}` : all.join(", ");
}

function operationRow(operation, told, errnoNames) {
  const direction = operation.argument === undefined ? "" : operation.direction;
  const { number, name } = operation;
  const { does, rows } = told;
  const cells = [number, `\`${name}\``, argumentOf(operation), direction, does, answers(told, errnoNames), rows.length];
  return `| ${cells.join(" | ")} |`;
}

function section({ number, name, operations }, table, errnoNames) {
  const title = `## ${number} \`${name}\``;
  const rows = `Rows: [${table.source}](${ROWS}/${table.source})`;
  if (operations === undefined) {
    const [told] = table.operations;
    const text = `${told.does}. Answers: ${answers(told, errnoNames)}. ${rows}, ${told.rows.length}.`;
    return [title, "", text.charAt(0).toUpperCase() + text.slice(1), ""];
  }
  const told = (operation) => table.operations.find((one) => one.number === operation.number);
  const sorted = [...operations].sort((a, b) => a.number - b.number);
  return [
    title,
    "",
    `${rows}.`,
    "",
    ...HEAD,
    ...sorted.map((operation) => operationRow(operation, told(operation), errnoNames)),
    "",
  ];
}

/** The page's text. `errno` maps names to the negative numbers that hypercalls answer; `tables` have the rows. */
export function renderXenAbi(hypercalls, errno, tables) {
  const errnoNames = new Map(Object.entries(errno).map(([name, value]) => [value, `-${name}`]));
  const rows = [...hypercalls].sort((a, b) => a.number - b.number);
  const table = (number) => tables.find(({ hypercall }) => hypercall === number);
  return [INTRODUCTION, ...rows.flatMap((row) => section(row, table(row.number), errnoNames))].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const compiled = (path) => pathToFileURL(join(root, "dist", path)).href;
  const { HYPERCALLS } = await import(compiled("xen/hypercalls/table.js"));
  const { multicall } = await import(compiled("xen/hypercalls/multicall.js"));
  const { Errno } = await import(compiled("xen/abi/errno.js"));
  const { TABLES } = await import(compiled("spec/xen/hypercalls/tables/all.js"));
  writeFileSync(
    join(root, "docs", "xen-abi.md"),
    renderXenAbi([...HYPERCALLS, multicall((call) => call.number)], Errno, TABLES),
  );
}
