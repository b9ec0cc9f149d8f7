/** Where the package lies: its version, and the guests that come with it. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The nearest folder above this file that has our guests, with a slash at its end. (dist/bundle has a package.json too.) */
export function packageRoot(): URL {
  let folder = new URL(".", import.meta.url);
  while (!existsSync(new URL("guests/", folder))) {
    const above = new URL("..", folder);
    if (above.href === folder.href) throw new Error("Cannot find the package that this code belongs to");
    folder = above;
  }
  return folder;
}

export function packageVersion(): string {
  const text = readFileSync(new URL("package.json", packageRoot()), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** Path of a file of the package. */
export function packageFile(name: string): string {
  return fileURLToPath(new URL(name, packageRoot()));
}
