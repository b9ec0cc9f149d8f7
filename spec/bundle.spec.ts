import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { COMPILED } from "./support/project.js";

/** The launcher, and each kind of thread. */
const ENTRIES = ["xenolith", "vcpu-role", "device-role", "disk-role", "net-role"] as const;
/** As scripts/bundle-loader.cjs does, in a process of its own: V8's flags, which specs change, are part of a cache. */
const LOAD = `
  const { readFileSync } = require("node:fs");
  const [path] = process.argv.slice(1);
  const source = readFileSync(path + ".code.js", "latin1");
  const cachedData = readFileSync(path + ".code.cache");
  const script = new (require("node:vm").Script)(source, { filename: path + ".code.js", cachedData });
  console.log(script.cachedDataRejected ? "rejected" : "taken");
`;

describe("A bundle", () => {
  for (const name of ENTRIES) {
    it(`comes with a code cache that this Node takes: ${name}`, () => {
      const { stdout, stderr } = spawnSync(process.execPath, ["-e", LOAD, join(COMPILED, "bundle", name)], {
        encoding: "utf8",
      });
      assert.deepEqual({ stdout, stderr }, { stdout: "taken\n", stderr: "" });
    });
  }
});
