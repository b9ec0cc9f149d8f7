/**
 * `npm run fuzz`: random and mutated inputs. Prints the seed that it starts from; a finding has its own, or a file, which
 * repeats it. Exit code 1 when there is a finding.
 */
import { refuse, requireHost, toolOptions, wholeNumber } from "../support/tool-options.js";
import { whyNoGuests } from "../support/require-kvm.js";
import { BlockCoverage } from "./block-coverage.js";
import { RecordedDraw } from "./choices.js";
import type { Entrance } from "./entrance.js";
import { fuzz, tryTimed } from "./fuzz.js";
import { GuidedFuzz, isOwnCode } from "./guided.js";
import { readReplay, writeReplay } from "./replay.js";

const CHOOSERS = ["seeds", "coverage"] as const;
const TOOL = {
  name: "fuzz",
  usage: `usage: npm run fuzz -- [options]

Tries random and mutated inputs at every entrance. Exit code 1 when one is a finding: a crash, a hang, an error of the host's.

  --seconds N      for so long altogether (default 600); 0 for ever, until there is a finding
  --entrance NAME  only this one, or all that begin so (guest)
  --choose HOW     inputs by seeds, each anew; or by coverage, as changes of those that reached new code, which a guest's
                   entrances have not (default: both, one after the other)
  --seed N         where to start (default: from the clock)
  --inputs N       at most so many of each entrance, by seeds unless told otherwise: a finding by these is repeated by its
                   seed and one input
  --replay FILE    only the input in this file, which a finding by coverage has left
  --help           this text
`,
};
const values = toolOptions(TOOL, {
  seconds: "600",
  entrance: undefined,
  choose: undefined,
  seed: String(Date.now() % 0x8000_0000),
  inputs: "Infinity",
  replay: undefined,
});
const seconds = wholeNumber(TOOL, "seconds", values.seconds);
const firstSeed = wholeNumber(TOOL, "seed", values.seed);
const inputsEach = wholeNumber(TOOL, "inputs", values.inputs, 1);
/** So long for each entrance before it is the next one's turn, in a run without an end. */
const TURN_MS = 10_000;
/** Further than any turn gets, so that no two turns try the same. */
const TURN_SEEDS = 10_000_000;

const choosers = CHOOSERS.filter((name) => (values.choose ?? (inputsEach === Infinity ? name : "seeds")) === name);
if (choosers.length === 0) refuse(TOOL, `--choose takes ${CHOOSERS.join(" or ")}, not ${values.choose ?? ""}`);
/** Inputs by seeds, of each entrance. */
const tried = new Map<Entrance, number>();
/** In a run without an end each goes on from where its last turn ended. */
const guided = new Map<Entrance, GuidedFuzz>();
/** V8 counts blocks of what it compiles from now on: it begins before there are entrances. */
const coverage = choosers.includes("coverage") ? new BlockCoverage(isOwnCode) : undefined;
const { ENTRANCES: PURE_ENTRANCES } = await import("./entrances.js");
const { GUEST_ENTRANCES } = await import("./guest.js");
const ENTRANCES = [...PURE_ENTRANCES, ...GUEST_ENTRANCES];
if (values.replay === undefined) await fuzzAll();
else await replay(values.replay);

async function replay(file: string): Promise<void> {
  let saved;
  try {
    saved = readReplay(file);
  } catch (error) {
    // A parser's message shows what it has read, ends of lines included.
    return refuse(TOOL, `${file} has no input: ${(error as Error).message.replace(/\s+/g, " ")}`);
  }
  const { entrance: name, choices } = saved;
  const entrance = PURE_ENTRANCES.find((one) => one.name === name) ?? refuse(TOOL, `there is no entrance ${name}`);
  const error = await tryTimed(entrance, new RecordedDraw(choices, 0));
  if (error === undefined) console.log(`${name}: no finding`);
  else told(`${name}: FINDING`, error);
}

async function fuzzAll(): Promise<void> {
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
  console.log(`seed ${firstSeed}`);
  for (let turn = 0; turn === 0 || (seconds === 0 && process.exitCode === undefined); turn++) {
    for (const entrance of chosen) await tryEntrance(entrance, (firstSeed + turn * TURN_SEEDS) >>> 0, turnMs);
  }
}

async function tryEntrance(entrance: Entrance, seed: number, ms: number): Promise<void> {
  const how = PURE_ENTRANCES.includes(entrance) ? choosers : (["seeds"] as const);
  for (const chooser of how) {
    if (chooser === "seeds" || coverage === undefined) await bySeeds(entrance, seed, ms / how.length);
    else await byCoverage(guided.get(entrance) ?? new GuidedFuzz(entrance, coverage), seed, ms / how.length);
  }
  try {
    await entrance.close?.();
  } catch (error) {
    told(`${entrance.name}: FINDING of all its inputs`, error);
  }
}

async function bySeeds(entrance: Entrance, seed: number, ms: number): Promise<void> {
  const { name, inputs, finding } = await fuzz(entrance, seed, ms, inputsEach);
  const all = (tried.get(entrance) ?? 0) + inputs;
  tried.set(entrance, all);
  console.log(`${name}: ${all} inputs${entrance.outcomes === undefined ? "" : `: ${entrance.outcomes}`}`);
  if (finding === undefined) return;
  told(`${name}: FINDING, repeat it with --entrance ${name} --seed ${finding.seed} --inputs 1`, finding.error);
}

async function byCoverage(guide: GuidedFuzz, seed: number, ms: number): Promise<void> {
  const finding = await guide.run(seed, ms, inputsEach);
  const { entrance, kept, inputs, reached } = guide;
  guided.set(entrance, guide);
  const found = `${kept.length} reached something new, ${reached.size} characters of code in all`;
  console.log(`${entrance.name}, by coverage: ${inputs} inputs, ${found}`);
  if (finding === undefined) return;
  const file = writeReplay(entrance.name, finding.choices);
  told(`${entrance.name}: FINDING, repeat it with --replay ${file}`, finding.error);
}

function told(line: string, error: unknown): void {
  console.log(line);
  console.log(error);
  process.exitCode = 1;
}
