import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { openLog } from "../../actors/log.js";
import { resolveConfig } from "../../shared/config.js";
import type { LogConfig, MachineConfig } from "../../shared/config.js";
import type { LogLevel, LogRecord } from "../../shared/log.js";
import { temporaryFolder } from "../support/temporary.js";

function config(log: MachineConfig["log"]): LogConfig {
  return resolveConfig({ boot: { kernel: "k" }, log }).log;
}

function record(level: LogLevel, message: string, fields: LogRecord["fields"] = {}): LogRecord {
  return { level, component: "xenstore", message, fields };
}

/** What `work` writes to standard error. */
function stderrOf(work: () => void): string {
  const { stderr } = process;
  const original = stderr.write.bind(stderr);
  let text = "";
  stderr.write = (chunk: string | Uint8Array) => {
    text += String(chunk);
    return true;
  };
  try {
    work();
  } finally {
    stderr.write = original;
  }
  return text;
}

describe("openLog()", () => {
  const folder = temporaryFolder();

  it("writes lines for people to standard error, from the level on that was asked for", () => {
    const log = openLog(config({ level: "info" }));
    const text = stderrOf(() => {
      log(record("debug", "not shown"));
      log(record("info", "started"));
      log(record("warn", "odd", { port: 7, why: "x" }));
      log(record("error", "bad"));
    });
    assert.equal(
      text,
      "xenolith: xenstore: started\n" +
        "xenolith: warning: xenstore: odd (port=7, why=x)\n" +
        "xenolith: error: xenstore: bad\n",
    );
  });

  it("shows warnings and errors when nothing was asked for", () => {
    const log = openLog(config({}));
    const text = stderrOf(() => {
      log(record("info", "not shown"));
      log(record("warn", "shown"));
    });
    assert.equal(text, "xenolith: warning: xenstore: shown\n");
  });

  it("lets no value forge a line", () => {
    const log = openLog(config({}));
    const text = stderrOf(() => {
      log(record("warn", "guest says", { text: "a\nxenolith: error: forged\x1b[2J" }));
    });
    assert.equal(text.split("\n").length, 2);
    assert.doesNotMatch(text, /\x1b/);
  });

  it("writes JSON to a file, the records of before it was opened first", async () => {
    const path = folder.path("log.json");
    const log = openLog(config({ file: path, level: "info" }));
    log(record("info", "first", { vcpu: 0 }));
    log(record("debug", "not shown"));
    const lines = async (count: number): Promise<unknown[]> => {
      for (let i = 0; i < 500; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        try {
          const text = readFileSync(path, "utf8");
          if (text.split("\n").length > count)
            return text
              .trim()
              .split("\n")
              .map((line) => JSON.parse(line) as unknown);
        } catch {
          // It is not there yet.
        }
      }
      return [];
    };
    await lines(1);
    log(record("error", "second"));
    const written = (await lines(2)) as { level: number; component: string; msg: string; vcpu?: number }[];
    // pino's numbers: 30 info, 50 error.
    assert.deepEqual(
      written.map(({ level, component, msg, vcpu }) => [level, component, msg, vcpu]),
      [
        [30, "xenstore", "first", 0],
        [50, "xenstore", "second", undefined],
      ],
    );
  });
});
