/** A finding that no seed repeats, in a file: which entrance it was, and all that its input drew. */
import { readFileSync, writeFileSync } from "node:fs";
import { array, integer, minValue, number, object, parse, pipe, string } from "valibot";
import type { Choices } from "./choices.js";

const REPLAY = object({ entrance: string(), choices: array(pipe(number(), integer(), minValue(0))) });

/** Writes it to this directory. @returns the file's name */
export function writeReplay(entrance: string, choices: Choices): string {
  const name = `fuzz-${entrance}-${process.pid}.json`;
  writeFileSync(name, `${JSON.stringify({ entrance, choices })}\n`);
  return name;
}

/** Throws when there is no such file, or it is not one of {@link writeReplay}'s. */
export function readReplay(file: string): { readonly entrance: string; readonly choices: Choices } {
  return parse(REPLAY, JSON.parse(readFileSync(file, "utf8")));
}
