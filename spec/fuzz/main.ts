/**
 * `npm run fuzz -- [--seconds N] [--entrance NAME] [--seed N] [--inputs N]`: random and mutated inputs for N seconds
 * altogether (600), 0 for ever; `guest` is all entrances whose names begin so. Prints the seed that it starts from; a finding has its own, which `--entrance NAME --seed N
 * --inputs 1` repeats. Exit code 1 when there is a finding.
 */
import { parseArgs } from "node:util";
import { ENTRANCES as PURE_ENTRANCES } from "./entrances.js";
import { fuzz } from "./fuzz.js";
import { GUEST_ENTRANCES } from "./guest.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    entrance: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 0x8000_0000) },
    inputs: { type: "string", default: "Infinity" },
  },
});
/** So long for each entrance before it is the next one's turn, in a run without an end. */
const TURN_MS = 10_000;
/** Further than any turn gets, so that no two turns try the same. */
const TURN_SEEDS = 10_000_000;

const ENTRANCES = [...PURE_ENTRANCES, ...GUEST_ENTRANCES];
/** By its name, or by the first part of several. */
const chosen = ENTRANCES.filter(
  ({ name }) => values.entrance === undefined || name === values.entrance || name.startsWith(`${values.entrance}-`),
);
if (chosen.length === 0) {
  console.error(`fuzz: there is no entrance ${values.entrance ?? ""}: ${ENTRANCES.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const seconds = Number(values.seconds);
const turnMs = seconds === 0 ? TURN_MS : (seconds * 1000) / chosen.length;
const tried = new Map<string, number>();
console.log(`seed ${values.seed}`);
for (let turn = 0; turn === 0 || (seconds === 0 && process.exitCode === undefined); turn++) {
  for (const entrance of chosen) {
    const seed = (Number(values.seed) + turn * TURN_SEEDS) >>> 0;
    const { name, inputs, finding } = await fuzz(entrance, seed, turnMs, Number(values.inputs));
    tried.set(name, (tried.get(name) ?? 0) + inputs);
    console.log(
      `${name}: ${tried.get(name) ?? 0} inputs${entrance.outcomes === undefined ? "" : `: ${entrance.outcomes}`}`,
    );
    if (finding !== undefined) {
      console.log(`${name}: FINDING, repeat it with --entrance ${name} --seed ${finding.seed} --inputs 1`);
      console.log(finding.error);
      process.exitCode = 1;
    }
    try {
      await entrance.close?.();
    } catch (error) {
      console.log(`${name}: FINDING of all its inputs`);
      console.log(error);
      process.exitCode = 1;
    }
  }
}
