/**
 * docs/xen-abi.md, from the very tables that dispatch hypercalls. `npm run build && node scripts/xen-abi.mjs` writes it;
 * spec/docs/xen-abi.spec.ts fails when it is not what this would write.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const INTRODUCTION = `# The Xen ABI that guests meet

Written by \`scripts/xen-abi.mjs\` from \`xen/hypercalls/table.ts\`: change the code, not this page.

Every hypercall and sub-operation that is not listed answers -ENOSYS, and the first use of each is logged with its arguments.
A pointer that leads nowhere answers -EFAULT. **argument** is the C struct behind the pointer, with its size for 64-bit and
32-bit callers where those differ (empty where the handler reads registers, or the guest's memory, itself); **in**, **out** and **inout** say which way it is copied. **always** is the answer of what is
refused whatever its argument. Operations on another domain than the caller's answer -ESRCH or -EPERM.
`;

const NO_OPERATIONS = "arguments in registers, no sub-operations";

/** A handler that looks at nothing has one answer. */
function constantAnswer({ run }, errnoNames) {
  if (run === undefined || run.length > 0) return undefined;
  const answer = run();
  return errnoNames.get(answer) ?? String(answer);
}

function argumentOf({ argument }) {
  if (argument === undefined) return "";
  const { wide, compat } = argument;
  return `\`${wide.name}\`, ${wide.size}${wide.size === compat.size ? "" : `/${compat.size}`} bytes`;
}

function operationRow(operation, errnoNames) {
  const direction = operation.argument === undefined ? "" : operation.direction;
  const always = constantAnswer(operation, errnoNames) ?? "";
  return `| ${operation.number} | \`${operation.name}\` | ${argumentOf(operation)} | ${direction} | ${always} |`;
}

function section({ number, name, operations, ...row }, errnoNames) {
  const title = `## ${number} \`${name}\``;
  if (operations === undefined) {
    const answer = constantAnswer(row, errnoNames);
    return [title, "", answer === undefined ? NO_OPERATIONS : `always ${answer}`, ""];
  }
  const rows = [...operations].sort((a, b) => a.number - b.number);
  return [
    title,
    "",
    "| number | sub-operation | argument | direction | always |",
    "|---|---|---|---|---|",
    ...rows.map((operation) => operationRow(operation, errnoNames)),
    "",
  ];
}

/** The page's text. `errno` maps names to the negative numbers that hypercalls answer. */
export function renderXenAbi(hypercalls, errno) {
  const errnoNames = new Map(Object.entries(errno).map(([name, value]) => [value, `-${name}`]));
  const rows = [...hypercalls].sort((a, b) => a.number - b.number);
  return [INTRODUCTION, ...rows.flatMap((row) => section(row, errnoNames))].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const compiled = (path) => pathToFileURL(join(root, "dist", "xen", path)).href;
  const { HYPERCALLS } = await import(compiled("hypercalls/table.js"));
  const { multicall } = await import(compiled("hypercalls/multicall.js"));
  const { Errno } = await import(compiled("abi/errno.js"));
  writeFileSync(
    join(root, "docs", "xen-abi.md"),
    renderXenAbi([...HYPERCALLS, multicall((call) => call.number)], Errno),
  );
}
