/** Temporary folders of one spec file, gone after it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "mocha";

export interface Folder {
  /** The path of `name` in the folder. */
  path(name: string): string;
  /** Writes a file and returns its path. */
  file(name: string, content: string | Uint8Array): string;
}

/** To be called inside a `describe`. */
export function temporaryFolder(): Folder {
  let made: string | undefined;
  const path = (name: string): string => {
    made ??= mkdtempSync(join(tmpdir(), "xenolith-spec-"));
    return join(made, name);
  };
  after(() => {
    if (made !== undefined) rmSync(made, { recursive: true, force: true });
    made = undefined;
  });
  return {
    path,
    file(name, content) {
      writeFileSync(path(name), content);
      return path(name);
    },
  };
}
