/**
 * `npm run fuzz`: random and mutated inputs. Prints the seed that it starts from; a finding has its own, which repeats it.
 * Exit code 1 when there is a finding.
 */
import { refuse, requireHost, toolOptions, wholeNumber } from "../support/tool-options.js";
import { whyNoGuests } from "../support/require-kvm.js";
import { ENTRANCES as PURE_ENTRANCES } from "./entrances.js";
import { fuzz } from "./fuzz.js";
import { GUEST_ENTRANCES } from "./guest.js";

const TOOL = {
  name: "fuzz",
  usage: `usage: npm run fuzz -- [options]

Tries random and mutated inputs at every entrance. Exit code 1 when one is a finding: a crash, a hang, an error of the host's.

  --seconds N      for so long altogether (default 600); 0 for ever, until there is a finding
  --entrance NAME  only this one, or all that begin so (guest)
  --seed N         where to start (default: from the clock)
  --inputs N       at most so many of each entrance: a finding is repeated by its seed and one input
  --help           this text
`,
};
const values = toolOptions(TOOL, {
  seconds: "600",
  entrance: undefined,
  seed: String(Date.now() % 0x8000_0000),
  inputs: "Infinity",
});
const seconds = wholeNumber(TOOL, "seconds", values.seconds);
const firstSeed = wholeNumber(TOOL, "seed", values.seed);
const inputsEach = wholeNumber(TOOL, "inputs", values.inputs, 1);
/** So long for each entrance before it is the next one's turn, in a run without an end. */
const TURN_MS = 10_000;
/** Further than any turn gets, so that no two turns try the same. */
const TURN_SEEDS = 10_000_000;

const ENTRANCES = [...PURE_ENTRANCES, ...GUEST_ENTRANCES];
/** By its name, or by the first part of several. */
const named = ENTRANCES.filter(
  ({ name }) => values.entrance === undefined || name === values.entrance || name.startsWith(`${values.entrance}-`),
);
if (named.length === 0) {
  refuse(TOOL, `there is no entrance ${values.entrance ?? ""}: ${ENTRANCES.map(({ name }) => name).join(", ")}`);
}
const noGuests = whyNoGuests("fuzz.elf");
const chosen = noGuests === undefined ? named : PURE_ENTRANCES.filter((entrance) => named.includes(entrance));
if (chosen.length === 0) requireHost(TOOL, noGuests);
if (noGuests !== undefined) console.log(`no entrance of a guest is tried: ${noGuests}`);
const turnMs = seconds === 0 ? TURN_MS : (seconds * 1000) / chosen.length;
const tried = new Map<string, number>();
console.log(`seed ${firstSeed}`);
for (let turn = 0; turn === 0 || (seconds === 0 && process.exitCode === undefined); turn++) {
  for (const entrance of chosen) {
    const seed = (firstSeed + turn * TURN_SEEDS) >>> 0;
    const { name, inputs, finding } = await fuzz(entrance, seed, turnMs, inputsEach);
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
