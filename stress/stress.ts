/** The stress run as a function. What it is made of is loaded when it is called: who only runs machines does without. */
import type { StressOptions } from "./options.js";
import type { StressReport } from "./report.js";

/**
 * Stresses a machine until its time is over or something fails, and says how it went. What the guest or the machine does
 * wrong is in the report.
 *
 * @throws VmmError as `Machine.create` does; CONFIG when an option is out of its range
 */
export async function stress(options: StressOptions = {}): Promise<StressReport> {
  const { runStress } = await import("./stress-run.js");
  return await runStress(options);
}
