/** A testbed for a suite of specs. */
import type { Context } from "mocha";
import { cannotRun } from "../support/cannot-run.js";
import { TestbedError } from "./errors.js";
import { Testbed, type TestbedOptions } from "./testbed.js";

/** Long enough to build the testbed first, in milliseconds. */
const START_MS = 10 * 60_000;

/**
 * For a suite's `before` hook: boots a testbed, or skips the suite and says why.
 *
 * Suites for which it does not matter that vCPUs run at the same time take one processor: two such testbeds fit on two cores,
 * and what goes wrong with two emulated processors (scripts/spec-tiers.mjs) has not been seen with one, in 31 boots on a
 * busy host.
 *
 * @throws Error with CI=true, where a missing testbed is a failure
 */
export async function requireTestbed(context: Context, options: TestbedOptions = {}): Promise<Testbed> {
  context.timeout(START_MS);
  try {
    return await Testbed.start({
      log: (line) => {
        console.log(line);
      },
      ...options,
    });
  } catch (cause) {
    if (!(cause instanceof TestbedError)) throw cause;
    cannotRun(context, cause.message, cause);
  }
}
