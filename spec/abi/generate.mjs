/**
 * Writes offsets.json: sizes and field offsets of the Xen ABI's structs in both layouts, and its constants, as the real
 * headers have them. Needs gcc and the package libxen-dev; run it by hand when a struct is added:
 *
 *     node spec/abi/generate.mjs
 *
 * The 32-bit layout needs no 32-bit C library: the compiler runs with -m32 and the numbers are read out of the assembly.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONSTANTS, HEADERS, STRUCTS } from "./wanted.mjs";

/** One symbol of the assembly per number; of what headers declare for all, or for tools alone. */
function source(width, forTools) {
  const lines = ["#include <stdint.h>", "#include <stddef.h>", ...HEADERS.map((header) => `#include <xen/${header}>`)];
  for (const [name, { type, fields, compat, tools = false }] of Object.entries(STRUCTS)) {
    if (tools !== forTools) continue;
    const c = width === 32 && compat !== undefined ? compat : type;
    lines.push(`const unsigned size__${name} = sizeof(${c});`);
    for (const [ours, theirs] of Object.entries(fields)) {
      lines.push(`const unsigned field__${name}__${ours} = offsetof(${c}, ${theirs});`);
    }
  }
  if (width === 64 && !forTools) {
    for (const name of CONSTANTS) lines.push(`const unsigned constant__${name} = (unsigned)(${name});`);
  }
  return lines.join("\n");
}

/** `name: .long n` pairs of the assembly; zeros are in .zero. */
function compile(width, forTools) {
  const folder = mkdtempSync(join(tmpdir(), "xen-abi-"));
  try {
    const input = join(folder, "abi.c");
    const output = join(folder, "abi.s");
    writeFileSync(input, source(width, forTools));
    // stdint.h of a 64-bit system wants stubs-32.h only for the C library's parts.
    execFileSync("gcc", [
      `-m${width}`,
      "-ffreestanding",
      "-D__XEN_INTERFACE_VERSION__=0x00040a00",
      ...(forTools ? ["-D__XEN_TOOLS__"] : []),
      "-S",
      "-o",
      output,
      input,
    ]);
    const numbers = new Map();
    for (const match of readFileSync(output, "utf8").matchAll(/^(\w+):\n\s+\.(long|zero)\s+(\d+)$/gm)) {
      numbers.set(match[1], match[2] === "zero" ? 0 : Number(match[3]));
    }
    return numbers;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const wide = new Map([...compile(64, false), ...compile(64, true)]);
const compat = new Map([...compile(32, false), ...compile(32, true)]);

function layout(numbers, name, fields) {
  const offsets = Object.keys(fields).map((field) => [field, numbers.get(`field__${name}__${field}`)]);
  return { size: numbers.get(`size__${name}`), offsets: Object.fromEntries(offsets) };
}

const structs = Object.fromEntries(
  Object.entries(STRUCTS).map(([name, { fields }]) => [
    name,
    { wide: layout(wide, name, fields), compat: layout(compat, name, fields) },
  ]),
);
const constants = Object.fromEntries(CONSTANTS.map((name) => [name, wide.get(`constant__${name}`)]));
writeFileSync(
  new URL("offsets.json", import.meta.url),
  `${JSON.stringify({ headers: "libxen-dev 4.17", structs, constants }, null, 2)}\n`,
);
