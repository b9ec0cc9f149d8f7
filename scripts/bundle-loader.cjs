/**
 * Runs NAME.code.js beside it, with the code cache that the build made of it if this Node can use it: V8 then need not
 * compile what a machine's start runs. Copied to dist/bundle/NAME.js.
 */
"use strict";
const { isMainThread } = require("node:worker_threads");

// Before anything else: a machine waits for that thread longest.
if (isMainThread) require("./first-thread.js");
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { Script } = require("node:vm");
const code = __filename.replace(/\.js$/, ".code.js");
const cache = code.replace(/\.js$/, ".cache");

function cachedData() {
  try {
    return readFileSync(cache);
  } catch {
    return undefined;
  }
}

const script = new Script(readFileSync(code, "latin1"), { filename: code, cachedData: cachedData() });
script.runInThisContext()(exports, require, module, __filename, __dirname);

// The build runs small machines with this set, and keeps what each thread has compiled by the end of the first one.
if (process.env.XENOLITH_CODE_CACHE === "write" && !existsSync(cache)) {
  process.once("exit", () => writeFileSync(cache, script.createCachedData()));
}
