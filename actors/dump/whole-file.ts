/** A file that appears under its name only when it is complete and on the disk; until then there is no trace of it. */
import { randomUUID } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/** Guest memory holds passwords and keys. */
const OWNER_ONLY = 0o600;

/**
 * Lets `fill` write a new file and puts it in the place of `path`, which may be a regular file already.
 *
 * @throws what the system said, or `fill` threw; then `path` is as it was
 */
export async function writeWholeFile(path: string, fill: (file: FileHandle) => Promise<void>): Promise<void> {
  await refuseOtherThanFiles(path);
  const temporary = `${path}.${randomUUID()}.part`;
  const file = await open(temporary, "wx", OWNER_ONLY);
  try {
    try {
      await fill(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** A name that leads to a device or a folder is not taken from it. */
async function refuseOtherThanFiles(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  if (found?.isDirectory() === true) throw new Error("it is a folder");
  if (found?.isFile() === false) throw new Error("it is not a regular file");
}

/** Puts the new name on the disk, too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
