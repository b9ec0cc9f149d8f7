/** Small C programs for guests, from guest/. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFile } from "../../package-root.js";
import { runHost } from "./host-command.js";

/** The program of that name, static, for an amd64 guest. @throws TestbedError */
export async function guestProgram(name: "kexec" | "kdump"): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), "xenolith-program-"));
  try {
    const program = join(directory, name);
    await runHost("gcc", ["-O2", "-static", "-o", program, packageFile(`spec/testbed/guest/${name}.c`)]);
    return await readFile(program);
  } finally {
    await rm(directory, { recursive: true });
  }
}
