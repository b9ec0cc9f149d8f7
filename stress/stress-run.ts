/**
 * Runs the stress guest on a machine of its own and acts on it meanwhile. The guest proves by sequence numbers that no event
 * was lost, doubled or delivered to the wrong vCPU; the host proves that the guest hears every word, comes back from every
 * reset and says how it went.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Machine } from "../actors/machine.js";
import type { MachineEnd } from "../actors/machine-end.js";
import { perturbThreads } from "../actors/host/perturbation.js";
import { packageFile } from "../package-root.js";
import { checkImage, makeImage } from "./disk-image.js";
import { GuestLineReader } from "./guest-lines.js";
import type { GuestLine } from "./guest-lines.js";
import { GuestLink } from "./guest-link.js";
import { HostActions } from "./host-actions.js";
import type { StressedMachine } from "./host-actions.js";
import { STRESS_DISKS, stressMachine } from "./machine.js";
import { planStress } from "./options.js";
import type { StressOptions, StressPlan } from "./options.js";
import { randomSource } from "../shared/random.js";
import { repeatingCommand } from "./report.js";
import type { StressFailure, StressOutcome, StressReport } from "./report.js";
import { Tally } from "./tally.js";

const GUEST = "guests/build/stress.elf";
const MS_PER_SECOND = 1000;
/** The guest itself waits for as long as two of its patiences at the end of a round, and says nothing meanwhile. */
const GUEST_PATIENCES = 3;
/** A slow, busy host takes as long to start a guest, or to let it speak. */
const HOST_PATIENCE_MS = 30_000;
const WATCH_EVERY_MS = 250;

/** What `stress()` does. */
export async function runStress(options: StressOptions): Promise<StressReport> {
  const plan = planStress(options);
  const folder = await mkdtemp(join(tmpdir(), "xenolith-stress-"));
  try {
    for (const { file } of STRESS_DISKS) await makeImage(join(folder, file));
    perturbThreads(plan.perturb);
    await using machine = await Machine.create(stressMachine(plan, packageFile(GUEST), folder));
    return await new StressRun(plan, { ...options, folder }, machine).run();
  } finally {
    perturbThreads(undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

export interface RunOptions extends Pick<StressOptions, "onProgress" | "signal"> {
  /** Of the disks' images. */
  readonly folder: string;
}

type RunMachine = StressedMachine & Pick<Machine, "start" | "stop" | "onStream" | "transport">;

export class StressRun {
  readonly #plan: StressPlan;
  readonly #options: RunOptions;
  readonly #machine: RunMachine;
  /** How long the guest gets for an answer. */
  readonly #patienceMs: number;
  readonly #link: GuestLink;
  readonly #actions: HostActions;
  readonly #tally = new Tally();
  readonly #failures: StressFailure[] = [];
  /** What the guest has read on each disk in the end, by the number in its stamps. */
  readonly #sums = new Map<number, number>();
  #begins = 0;
  #passed = false;
  #startedAt = 0;
  #finish: () => void = () => undefined;
  /** Settles when the run is to end: by time, by number of events, by a failure or by the caller. */
  readonly #over = new Promise<void>((resolve) => {
    this.#finish = resolve;
  });

  constructor(plan: StressPlan, options: RunOptions, machine: RunMachine) {
    this.#plan = plan;
    this.#options = options;
    this.#machine = machine;
    this.#patienceMs = GUEST_PATIENCES * plan.patienceSeconds * MS_PER_SECOND + HOST_PATIENCE_MS;
    this.#link = new GuestLink(this.#patienceMs);
    this.#actions = new HostActions(plan.hostActions, {
      machine,
      link: this.#link,
      random: randomSource(plan.seed),
    });
  }

  async run(): Promise<StressReport> {
    const reader = new GuestLineReader((line) => {
      this.#hear(line);
    });
    this.#machine.onStream("xen-console", (bytes) => {
      reader.push(bytes);
      return undefined;
    });
    this.#options.signal?.addEventListener("abort", this.#finish, { once: true });
    this.#startedAt = performance.now();
    void this.#machine.ended.then(this.#finish);
    const watching = this.#watch();
    const begun = this.#link.expect(({ kind }) => kind === "begin", this.#over);
    await this.#machine.start();
    if (await begun) await this.#act();
    else if (this.#machine.status() === "running") this.#fail("guest", "the guest did not begin");
    await this.#over;
    await this.#endGuest();
    await watching;
    await this.#checkDisks();
    this.#options.signal?.removeEventListener("abort", this.#finish);
    return this.#report(await this.#machine.ended);
  }

  async #act(): Promise<void> {
    const { seconds } = this.#plan;
    const timer = Number.isFinite(seconds) ? setTimeout(this.#finish, seconds * MS_PER_SECOND) : undefined;
    await this.#actions.run(this.#over, (name, text) => {
      this.#fail(name, text);
    });
    await this.#over;
    clearTimeout(timer);
  }

  /** Asks the guest to account for everything and switch itself off, and switches it off when it does not. */
  async #endGuest(): Promise<void> {
    if (this.#machine.status() !== "running") return;
    const ended = this.#link.expect(({ kind }) => kind === "end", this.#machine.ended);
    // Nobody takes it when the guest is hung.
    void this.#machine.writeStream("xen-console", new TextEncoder().encode("end\n"));
    if (!(await ended) && this.#machine.status() === "running") await this.#giveUp("the guest does not end");
    await Promise.race([this.#machine.ended, sleep(this.#patienceMs, undefined, { ref: false })]);
    if (this.#machine.status() !== "ended") {
      this.#fail("guest", "the guest does not switch itself off");
      await this.#machine.stop();
    }
  }

  /** That what the guest has read is what is in the images. */
  async #checkDisks(): Promise<void> {
    for (const { file, stamp, workload } of STRESS_DISKS) {
      const sum = this.#sums.get(stamp);
      if (sum !== undefined) {
        for (const text of await checkImage(join(this.#options.folder, file), stamp, sum)) this.#fail(workload, text);
      } else if (this.#passed && this.#plan.workloads.includes(workload)) {
        this.#fail(workload, `the guest has not said what is on disk ${stamp}`);
      }
    }
  }

  /** Looks for a guest that has fallen silent, which nothing else would notice. */
  async #watch(): Promise<void> {
    while (this.#machine.status() !== "ended") {
      await Promise.race([sleep(WATCH_EVERY_MS), this.#machine.ended]);
      if (this.#machine.status() !== "running" || performance.now() < this.#link.lastLineAt + this.#patienceMs)
        continue;
      await this.#giveUp(`the guest has said nothing for ${Math.round(this.#patienceMs / MS_PER_SECOND)} s`);
    }
  }

  /** Keeps what the vCPUs are at, and ends the machine. */
  async #giveUp(reason: string): Promise<void> {
    try {
      await this.#machine.pause();
      this.#fail("guest", `${reason}\n${(await this.#machine.describeVcpus()).trimEnd()}`);
    } catch (error) {
      // It ended, or was reset, in that moment.
      this.#fail("guest", `${reason} (${error instanceof Error ? error.message : String(error)})`);
    }
    await this.#machine.stop();
  }

  #hear(line: GuestLine): void {
    switch (line.kind) {
      case "begin":
        if (this.#begins++ > this.#resets) this.#fail("guest", "the guest started over by itself");
        this.#tally.startOver();
        break;
      case "beat":
        this.#tally.update(line.counts);
        this.#options.onProgress?.({
          seconds: this.#seconds,
          workloads: this.#tally.workloads,
          hostActions: this.#actions.counts,
        });
        if (this.#tally.events >= (this.#plan.events ?? Infinity)) this.#finish();
        break;
      case "fail":
        this.#fail(line.from, line.text);
        break;
      case "sum":
        this.#sums.set(line.disk, line.sum);
        break;
      case "end":
        this.#passed = line.passed;
        break;
      case "heard":
      case "target":
      case "note":
        break;
    }
    this.#link.hear(line);
  }

  #fail(from: string, text: string): void {
    this.#failures.push({ from, text });
    this.#finish();
  }

  get #seconds(): number {
    return (performance.now() - this.#startedAt) / MS_PER_SECOND;
  }

  /** That are over, or under way. */
  get #resets(): number {
    return this.#actions.resets;
  }

  #outcome(end: MachineEnd): StressOutcome {
    if (end.kind === "crash") return "crashed";
    if (this.#failures.length > 0) return "failed";
    return this.#options.signal?.aborted === true ? "interrupted" : "passed";
  }

  #report(end: MachineEnd): StressReport {
    if (end.kind === "crash")
      this.#failures.push({ from: "machine", text: `the guest crashed\n${end.report.trimEnd()}` });
    else if (end.kind === "failed") this.#failures.push({ from: "machine", text: end.error.message });
    else if (!this.#passed && this.#failures.length === 0) {
      this.#failures.push({
        from: "guest",
        text: `the guest did not say that it passed: the machine's end is "${end.kind}"`,
      });
    }
    const { vcpus, channels, seed, plant, perturb } = this.#plan;
    const { transport } = this.#machine;
    return {
      outcome: this.#outcome(end),
      vcpus,
      transport,
      channels,
      seed,
      seconds: this.#seconds,
      resets: this.#resets,
      events: this.#tally.events,
      workloads: this.#tally.workloads,
      hostActions: this.#actions.counts,
      failures: this.#failures,
      ...(plant === undefined ? {} : { plant }),
      ...(perturb === undefined ? {} : { perturb }),
      command: repeatingCommand(this.#plan, transport),
    };
  }
}
