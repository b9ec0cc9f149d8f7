/**
 * Debian and Ubuntu packages behind programs that we run: installed when missing, or, for who is not root, named in a
 * command to run.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

function hasProgram(name) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function hasFile(path) {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes sure that each of `needs` is there: `{ program }` on the PATH or `{ file }`, which `package` brings.
 * Ends the process with one line when it cannot.
 */
export function ensurePackages(needs) {
  const missing = needs.filter(({ program, file }) => !(program === undefined ? hasFile(file) : hasProgram(program)));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((need) => need.package))];
  const command = `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  if (process.getuid() !== 0 || !hasProgram("apt-get")) {
    console.error(`xenolith: ${packages.join(" and ")} must be installed first: sudo ${command}`);
    process.exit(1);
  }
  console.log(`Installing ${packages.join(", ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["update"], { stdio: "inherit", env });
  const { status } = spawnSync("apt-get", command.split(" ").slice(1), { stdio: "inherit", env });
  if (status !== 0) {
    console.error(`xenolith: installing ${packages.join(" and ")} failed: run ${command} and try again`);
    process.exit(1);
  }
}
