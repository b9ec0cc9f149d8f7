/**
 * Which files of a kernel's module tree a set of modules needs, and in which order they load.
 *
 * [MODULES.DEP] modules.dep(5)
 */

/**
 * The files of `names` and of all they depend on, each after its dependencies; paths as `modules.dep` has them.
 * A name that the tree does not have is taken for built into the kernel.
 */
export function modulesInLoadOrder(modulesDep: string, names: readonly string[]): string[] {
  const dependencies = parse(modulesDep);
  const ordered = new Set<string>();
  for (const name of names) {
    const file = [...dependencies.keys()].find((candidate) => moduleName(candidate) === moduleName(name));
    if (file === undefined) continue;
    // [MODULES.DEP] lists all dependencies, direct or not, and those that must load first stand last
    for (const dependency of [...(dependencies.get(file) ?? [])].reverse()) ordered.add(dependency);
    ordered.add(file);
  }
  return [...ordered];
}

/** "kernel/fs/mbcache.ko.xz" is "mbcache". The kernel takes - and _ for the same. */
export function moduleName(file: string): string {
  const base = file.slice(file.lastIndexOf("/") + 1);
  return base.replace(/\.ko(\.\w+)?$/, "").replaceAll("-", "_");
}

function parse(modulesDep: string): Map<string, string[]> {
  const dependencies = new Map<string, string[]>();
  for (const line of modulesDep.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const words = line
      .slice(colon + 1)
      .split(" ")
      .filter((word) => word !== "");
    dependencies.set(line.slice(0, colon), words);
  }
  return dependencies;
}
