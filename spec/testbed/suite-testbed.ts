/** A testbed for a suite of specs. */
import { after, before } from "mocha";
import { cannotRun } from "../support/cannot-run.js";
import { TestbedError } from "./errors.js";
import { Testbed, type TestbedOptions } from "./testbed.js";

/** Long enough to build the testbed first, in milliseconds. */
const START_MS = 10 * 60_000;

export interface SuiteTestbed {
  /** @throws Error before the suite's hook has booted it */
  readonly testbed: Testbed;
}

/**
 * To be called inside a `describe`, ahead of its hooks that use the testbed: boots one before the suite's specs, or skips
 * them and says why (with CI=true it fails instead); switches it off after them.
 *
 * Suites for which it does not matter that vCPUs run at the same time take one processor: two such testbeds fit on two cores,
 * and what goes wrong with two emulated processors (scripts/spec-tiers.mjs) has not been seen with one, in 31 boots on a
 * busy host.
 */
export function testbedOfSuite(options: TestbedOptions = {}): SuiteTestbed {
  let booted: Testbed | undefined;

  before("boots a testbed", async function () {
    this.timeout(START_MS);
    try {
      booted = await Testbed.start({
        log: (line) => {
          console.log(line);
        },
        ...options,
      });
    } catch (cause) {
      if (!(cause instanceof TestbedError)) throw cause;
      cannotRun(this, cause.message, cause);
    }
  });

  after(async () => {
    // Not there when the suite was skipped
    await booted?.[Symbol.asyncDispose]();
  });

  return {
    get testbed() {
      if (booted === undefined) throw new Error("The suite's testbed is not booted yet: it is for hooks and specs");
      return booted;
    },
  };
}
