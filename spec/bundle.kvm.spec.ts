import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { COMPILED } from "./support/project.js";
import { requireKvm } from "./support/require-kvm.js";

/** The launcher, and each kind of thread. */
const ENTRIES = ["xenolith", "vcpu-role", "device-role", "disk-role", "net-role"] as const;
/** As scripts/bundle-loader.cjs does, in a process of its own: V8's flags, which specs change, are part of a cache. */
const LOAD = `
  const { readFileSync } = require("node:fs");
  const [path] = process.argv.slice(1);
  const body = readFileSync(path + ".code.js", "latin1");
  const source = \`(function (exports, require, module, __filename, __dirname) {\${body}\\n})\`;
  const cachedData = readFileSync(path + ".code.cache");
  const script = new (require("node:vm").Script)(source, { filename: path + ".code.js", cachedData });
  console.log(script.cachedDataRejected ? "rejected" : "taken");
`;

describe("A bundle", () => {
  before(function () {
    requireKvm(this, "hello.elf", "spin.elf");
  });

  for (const name of ENTRIES) {
    it(`comes with a code cache that this Node takes: ${name}`, () => {
      const { stdout, stderr } = spawnSync(process.execPath, ["-e", LOAD, join(COMPILED, "bundle", name)], {
        encoding: "utf8",
      });
      assert.deepEqual({ stdout, stderr }, { stdout: "taken\n", stderr: "" });
    });
  }
});
