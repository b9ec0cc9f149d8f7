/** What the host does to a machine under stress, one action after another, in the order of the seed. */
import type { Machine } from "../actors/machine.js";
import type { GuestLink } from "./guest-link.js";
import type { HostActionCount, HostActionName } from "./options.js";

/** What of a machine is acted on. */
export type StressedMachine = Pick<
  Machine,
  | "status"
  | "pause"
  | "resume"
  | "reset"
  | "writeStream"
  | "setMemoryTarget"
  | "pciFunctions"
  | "networks"
  | "cdDrives"
  | "describeVcpus"
  | "ended"
>;

export interface ActionParts {
  readonly machine: StressedMachine;
  readonly link: GuestLink;
  readonly random: (limit: number) => number;
}

const MAX_PAUSE_MS = 30;
/** Between two actions. */
const MAX_GAP_MS = 60;
/** The guest has no balloon: it only says what it reads. */
const MAX_TARGET_KIB = 1024;
const BYTES_PER_KIB = 1024;

/** Each is told from the others by its name; weight says how often it is drawn. `run` gives what went wrong, if anything. */
type Action = {
  readonly weight: number;
  readonly run: (actions: HostActions) => Promise<string | undefined>;
};
const ACTIONS: Readonly<Record<HostActionName, Action>> = {
  pause: { weight: 6, run: (actions) => actions.pause() },
  inject: { weight: 8, run: (actions) => actions.inject() },
  xenstore: { weight: 4, run: (actions) => actions.xenstore() },
  sample: { weight: 4, run: (actions) => actions.sample() },
  reset: { weight: 1, run: (actions) => actions.reset() },
};

export class HostActions {
  readonly #parts: ActionParts;
  readonly #counts: Map<HostActionName, number>;
  /** Every name as often as its weight says. */
  readonly #lots: readonly HostActionName[];
  /** Resets asked for. */
  resets = 0;
  #target = 1;
  /** Words that this life of the guest has been given. */
  #words = 0;

  constructor(names: readonly HostActionName[], parts: ActionParts) {
    this.#parts = parts;
    this.#counts = new Map(names.map((name) => [name, 0]));
    this.#lots = names.flatMap((name) => Array.from({ length: ACTIONS[name].weight }, () => name));
  }

  get counts(): readonly HostActionCount[] {
    return [...this.#counts].map(([name, count]) => ({ name, count }));
  }

  /** Acts until `over` settles; `onFailure` is called once, with what went wrong, and nothing more is done then. */
  async run(over: Promise<unknown>, onFailure: (name: HostActionName, text: string) => void): Promise<void> {
    let going = this.#lots.length > 0;
    void over.then(() => {
      going = false;
    });
    while (going) {
      await this.#sleep(this.#parts.random(MAX_GAP_MS), over);
      const name = this.#lots[this.#parts.random(this.#lots.length)];
      // Read anew: the loop's end may have come meanwhile.
      if (!(going as boolean) || name === undefined) return;
      const problem = await ACTIONS[name].run(this);
      if (this.#parts.machine.status() === "ended") return;
      if (problem !== undefined) {
        onFailure(name, problem);
        return;
      }
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    }
  }

  async pause(): Promise<string | undefined> {
    const { machine, random } = this.#parts;
    await machine.pause();
    if (machine.status() !== "paused") return `a machine that was paused is ${machine.status()}`;
    await this.#sleep(random(MAX_PAUSE_MS), machine.ended);
    await machine.resume();
    return undefined;
  }

  /** A word on the console, and with it an event: the guest reads it only when that has come. */
  async inject(): Promise<string | undefined> {
    const { machine, link } = this.#parts;
    const number = ++this.#words;
    const heard = link.expect((line) => line.kind === "heard" && line.number === number, machine.ended);
    await machine.writeStream("xen-console", new TextEncoder().encode(`#${number}\n`));
    return (await heard) ? undefined : `the guest did not hear word ${number}`;
  }

  /** A node of xenstore that the guest watches. */
  async xenstore(): Promise<string | undefined> {
    const { machine, link, random } = this.#parts;
    // Never the value before: the guest would be told, but could not tell it from that.
    this.#target = 1 + ((this.#target + random(MAX_TARGET_KIB - 1)) % MAX_TARGET_KIB);
    const kib = this.#target;
    const seen = link.expect((line) => line.kind === "target" && line.kib === kib, machine.ended);
    await machine.setMemoryTarget(kib * BYTES_PER_KIB);
    return (await seen) ? undefined : `the guest did not see that memory/target is ${kib}`;
  }

  /** All that can be asked of a running machine. */
  async sample(): Promise<string | undefined> {
    const { machine } = this.#parts;
    const [functions] = await Promise.all([machine.pciFunctions(), machine.networks(), machine.cdDrives()]);
    return functions.length > 0 ? undefined : "there is nothing on the PCI bus";
  }

  async reset(): Promise<string | undefined> {
    const { machine, link } = this.#parts;
    const begun = link.expect((line) => line.kind === "begin", machine.ended);
    this.#words = 0;
    this.resets++;
    await machine.reset();
    return (await begun) ? undefined : "the guest did not come back from a reset";
  }

  async #sleep(ms: number, over: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const slept = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([slept, over]);
    clearTimeout(timer);
  }
}
