/**
 * Programs of the cached Debian tree, run on the host.
 *
 * The tree's own dynamic linker is told where the tree's libraries are: no chroot, so no root, and host paths mean what they say.
 */
import { join, resolve } from "node:path";
import type { Image } from "./image.js";

export interface ToolCommand {
  readonly file: string;
  readonly args: readonly string[];
}

const LIBRARIES = "usr/lib/x86_64-linux-gnu";

/** The command that runs `program` on the host: a path inside the tree, or an absolute one of the host. */
export function hostTool(image: Pick<Image, "root">, program: string, args: readonly string[]): ToolCommand {
  const linker = join(image.root, "lib64", "ld-linux-x86-64.so.2");
  const libraries = join(image.root, LIBRARIES);
  return {
    file: linker,
    args: ["--inhibit-cache", "--library-path", libraries, resolve(image.root, program), ...args],
  };
}

/** The same, killed by the kernel when our process dies, however it dies. */
export function tiedToUs(command: ToolCommand): ToolCommand {
  return { file: "setpriv", args: ["--pdeathsig", "KILL", "--", command.file, ...command.args] };
}

/** Where a tree's QEMU keeps its modules and firmware. */
export function qemuPaths(image: Pick<Image, "root">): {
  readonly env: Record<string, string>;
  readonly args: readonly string[];
} {
  const share = join(image.root, "usr", "share");
  return {
    env: { QEMU_MODULE_DIR: join(image.root, LIBRARIES, "qemu") },
    args: ["-L", join(share, "qemu"), "-L", join(share, "seabios")],
  };
}
