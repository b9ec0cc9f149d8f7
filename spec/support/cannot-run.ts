/** For specs that this host cannot run: they are skipped, and say why; in CI they fail instead. */
import type { Context } from "mocha";

/** @throws Error with CI=true */
export function cannotRun(context: Context, reason: string, cause?: unknown): never {
  if (process.env["CI"] === "true") throw new Error(`Cannot run here: ${reason}`, { cause });
  console.log(`      skipped: ${reason}`);
  context.skip();
}
