/** Where this project lies, whichever folder its specs were compiled into. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json. */
export const PROJECT = findProject(dirname(fileURLToPath(import.meta.url)));

/** The folder of compiled code that this file belongs to: `dist`, mostly. */
export const COMPILED = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function findProject(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("Cannot find package.json above the compiled specs");
  return findProject(parent);
}

/** A guest of ours, as `scripts/build-guests.mjs` leaves it. */
export function guestImage(name: string): string {
  return join(PROJECT, "guests", "build", name);
}
