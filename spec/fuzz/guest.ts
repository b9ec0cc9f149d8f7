/**
 * A guest on KVM that throws inputs at its machine from inside, on two vCPUs. What it does to itself is its own affair: it
 * may crash, reset, fall silent or end. The machine must answer meanwhile, log little, report no error of the host's, and
 * work in all its parts once it is reset.
 */
import assert from "node:assert/strict";
import { growth, heldNow } from "../soak/holdings.js";
import type { Held } from "../soak/holdings.js";
import { PATIENCE } from "../support/patience.js";
import type { Draw } from "./draw.js";
import type { Entrance } from "./entrance.js";
import { GuestMachine, inTime } from "./guest-machine.js";
import type { Answer } from "./guest-machine.js";

/** Steps of one input; few find what goes wrong at once, many what builds up. */
const STEPS = [30, 200, 800];
/** A guest that has said nothing for so long has undone itself. */
const SILENT_MS = 6000 * PATIENCE;
const CHECK_MS = 90_000 * PATIENCE;
/** An order may be lost when the guest starts over just then. */
const CHECKS = 3;
/** Lines of the log for one input: limits on the guest's own mistakes are below. */
const MOST_LINES = 500;
/** Inputs after which a process has what it keeps. */
const WARM_UP = 10;
/** What its pools still may grow by, and what each machine's threads leave behind (docs/reliability.md, "Soak"). */
const ALLOWED_KIB = 96 * 1024;
const MACHINE_KIB = 10 * 45;

const KINDS = ["hypercalls", "ports", "ide", "rings", "cpus"] as const;

class GuestEntrance implements Entrance {
  readonly name: string;
  readonly hangMs = 150_000 * PATIENCE;
  readonly #kind: string;
  #guest: GuestMachine | undefined;
  #inputs = 0;
  #machines = 0;
  #before: Held | undefined;
  readonly #outcomes = new Map<string, number>();

  constructor(kind: string) {
    this.name = `guest-${kind}`;
    this.#kind = kind;
  }

  /** How the inputs ended, for a person. */
  get outcomes(): string {
    return [...this.#outcomes].map(([kind, count]) => `${count} ${kind}`).join(", ");
  }

  async tryOne(draw: Draw): Promise<void> {
    if (++this.#inputs === WARM_UP) await this.#weigh();
    this.#guest ??= await this.#start();
    const guest = this.#guest;
    guest.logged = 0;
    const steps = draw.of(STEPS);
    const answer = await guest.order(`${this.#kind} ${draw.below(0x8000_0000)} ${steps}`, SILENT_MS);
    this.#note(answer);
    if (answer.kind === "ended") assert(answer.end.kind !== "failed", `the machine failed: ${told(answer)}`);
    if (answer.kind === "silent" && !guest.over) await look(guest);
    if (!guest.over) await check(guest);
    assert.deepEqual(guest.errors, [], "an error of the host's");
    assert(guest.logged <= MOST_LINES, `${guest.logged} lines in the log`);
    if (guest.over) await this.#dispose();
    else if (!(await guest.reset())) await this.#dispose();
  }

  async close(): Promise<void> {
    await this.#dispose();
    if (this.#before === undefined) return;
    const after = await heldNow(this.#before);
    const grown = growth(this.#before, { ...after, files: 0 }, ALLOWED_KIB + this.#machines * MACHINE_KIB);
    this.#before = undefined;
    assert.deepEqual(grown, [], "the process holds more than before");
  }

  async #start(): Promise<GuestMachine> {
    this.#machines++;
    return await GuestMachine.start();
  }

  async #weigh(): Promise<void> {
    await this.#dispose();
    this.#before = await heldNow();
    this.#machines = 0;
  }

  async #dispose(): Promise<void> {
    const guest = this.#guest;
    this.#guest = undefined;
    await guest?.[Symbol.asyncDispose]();
  }

  #note(answer: Answer): void {
    const what = outcome(answer);
    assert(!/^(missing|no such|done wrong)/.test(what), what);
    this.#outcomes.set(what, (this.#outcomes.get(what) ?? 0) + 1);
  }
}

/** A machine whose guest says nothing can be paused, looked into and resumed. */
async function look({ machine }: GuestMachine): Promise<void> {
  await inTime("pausing", machine.pause());
  if (machine.status() !== "paused") return;
  await inTime("a look at the vCPUs", machine.describeVcpus());
  await inTime("a look at PCI functions", machine.pciFunctions());
  await inTime("resuming", machine.resume());
}

/** After a reset everything works. */
async function check(guest: GuestMachine): Promise<void> {
  let answer: Answer = { kind: "again" };
  if (!(await guest.reset())) return;
  for (let tries = 0; tries < CHECKS && answer.kind === "again"; tries++) answer = await guest.order("check", CHECK_MS);
  assert.deepEqual(answer, { kind: "line", line: "whole" }, "after a reset");
}

/** In a few words, so that the same come together. */
function outcome(answer: Answer): string {
  if (answer.kind === "line") return answer.line.replace(/ at .*/, "").replace(/^fault.*/, "fault");
  if (answer.kind !== "ended") return answer.kind;
  const { end } = answer;
  return end.kind === "crash"
    ? `crash by ${(end.report.split("\n")[0] ?? "").replace(/,? ?\(?vCPU \d+\)?:?/, "")}`
    : end.kind;
}

function told(answer: Answer): string {
  return answer.kind === "ended" && answer.end.kind === "failed" ? (answer.end.error.stack ?? "") : "";
}

export const GUEST_ENTRANCES: readonly GuestEntrance[] = KINDS.map((kind) => new GuestEntrance(kind));
