/** A machine with the fuzz guest in it, which takes orders (guests/fuzz/main.c). */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Machine } from "../../actors/machine.js";
import type { MachineEnd } from "../../actors/machine-end.js";
import type { MachineConfig } from "../../shared/config.js";
import { PATIENCE } from "../support/patience.js";
import { guestImage } from "../support/project.js";

/** What came of an order: a line, or that the guest started over, fell silent, or is no more. */
export type Answer =
  | { readonly kind: "line"; readonly line: string }
  | { readonly kind: "again" }
  | { readonly kind: "silent" }
  | { readonly kind: "rests" }
  | { readonly kind: "ended"; readonly end: MachineEnd };

const MIB = 1 << 20;
const DISKS = [
  { file: "a.img", attach: { kind: "xen", vdev: "xvda" } },
  { file: "b.img", attach: { kind: "xen", vdev: "xvdb" } },
  { file: "hda.img", attach: { kind: "ide", channel: 0, unit: 0 } },
  { file: "hdc.img", attach: { kind: "ide", channel: 1, unit: 0 } },
  { file: "v.img", attach: { kind: "virtio", slot: 5 } },
] as const;
/** Says that the guest waits for an order. */
const READY = "ready";
/** Lines that are answers; others may be of any bytes. */
const ANSWERS = /^(whole|broken: .*|done .*|fault .*|missing .*|no such kind)$/;
/** An error that is the guest's own. */
const OWN_CRASH = "guest crashed";
/** The longest text without a line's end that can still become an answer. */
const LONGEST = 200;
/** How long whatever the host asks for may take; on a busy host. */
export const RESPONSE_MS = 30_000 * PATIENCE;
const START_MS = 60_000 * PATIENCE;
/** How often a machine is looked at that says nothing. */
const LOOK_MS = 50;

function config(folder: string): MachineConfig {
  return {
    name: "fuzz",
    memoryBytes: 32 * MIB,
    vcpus: { count: 2 },
    accel: { xenVersion: 0x4_0011, fifo: "on" },
    boot: { kernel: guestImage("fuzz.elf"), cmdline: "" },
    serials: [{ kind: "stream" }, { kind: "null" }],
    xenConsole: { kind: "stream" },
    disks: DISKS.map(({ file, attach }) => ({ path: join(folder, file), discard: "unmap", attach })),
    nets: [{ model: { kind: "virtio", slot: 6 }, backend: { kind: "none" } }],
    devices: [{ kind: "edu", slot: 7 }],
    log: { level: "warn" },
  };
}

export class GuestMachine {
  readonly machine: Machine;
  /** Lines of the log since they were counted last: warnings and errors. */
  logged = 0;
  /** Errors that it logged: of the host, as a guest's mistakes are none but its crash. */
  readonly errors: string[] = [];
  readonly #folder: string;
  #text = "";
  #end: MachineEnd | undefined;
  #heard: ((answer: Answer) => void) | undefined;

  private constructor(machine: Machine, folder: string, log: { on: GuestMachine | undefined }) {
    this.machine = machine;
    this.#folder = folder;
    log.on = this;
    machine.onStream("serial0", (bytes) => {
      this.#hear(Buffer.from(bytes).toString("latin1"));
    });
    // What nobody listens to is kept for somebody who does.
    for (const stream of ["xen-console", "xen-log"] as const) machine.onStream(stream, () => undefined);
    void machine.ended.then((end) => {
      this.#end = end;
      this.#heard?.({ kind: "ended", end });
    });
  }

  /** Made and started; the guest waits for an order. */
  static async start(): Promise<GuestMachine> {
    const folder = mkdtempSync(join(tmpdir(), "xenolith-fuzz-"));
    for (const { file } of DISKS) writeFileSync(join(folder, file), new Uint8Array(MIB));
    const log: { on: GuestMachine | undefined } = { on: undefined };
    const machine = await Machine.create(config(folder), {
      log: ({ level, component, message, fields }) => {
        // The guest's own text comes as "info", and has its limit.
        if (log.on === undefined || (level !== "warn" && level !== "error")) return;
        log.on.logged++;
        if (level === "error" && message !== OWN_CRASH)
          log.on.errors.push(`${component}: ${message} ${JSON.stringify(fields)}`);
      },
    });
    const started = new GuestMachine(machine, folder, log);
    await machine.start();
    if (!(await started.#ready())) throw new Error("The guest does not start");
    return started;
  }

  /** Whether the guest is gone, or will not go on by itself. */
  get over(): boolean {
    return this.#end !== undefined || this.machine.status() !== "running";
  }

  /** Gives the guest an order; what came of it within `ms`. */
  async order(text: string, ms: number): Promise<Answer> {
    const answer = this.#next(ms);
    await inTime("taking an order", this.machine.writeStream("serial0", Buffer.from(`${text}\n`)));
    return await answer;
  }

  /** Resets the machine, and waits until the guest takes orders again; false when it came to its end instead. */
  async reset(): Promise<boolean> {
    const ready = this.#ready();
    if (!this.over) await inTime("a reset", this.machine.reset());
    return await ready;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await inTime("disposal", this.machine[Symbol.asyncDispose]());
    } finally {
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  async #ready(): Promise<boolean> {
    const until = performance.now() + START_MS;
    for (;;) {
      const answer = await this.#next(until - performance.now());
      // What it still had to say of its last order.
      if (answer.kind === "line") continue;
      if (answer.kind === "silent") throw new Error(`The guest does not start within ${START_MS} ms`);
      return answer.kind === "again";
    }
  }

  async #next(ms: number): Promise<Answer> {
    const until = performance.now() + ms;
    let look: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve) => {
        if (this.#end !== undefined) resolve({ kind: "ended", end: this.#end });
        this.#heard = resolve;
        look = setInterval(() => {
          const status = this.machine.status();
          if (status === "paused" || status === "suspended") resolve({ kind: "rests" });
          else if (performance.now() > until) resolve({ kind: "silent" });
        }, LOOK_MS);
      });
    } finally {
      clearInterval(look);
      this.#heard = undefined;
    }
  }

  #hear(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = (lines.pop() ?? "").slice(-LONGEST);
    for (const line of lines) {
      if (line.endsWith(READY)) this.#heard?.({ kind: "again" });
      else if (ANSWERS.test(line)) this.#heard?.({ kind: "line", line });
    }
  }
}

/** `work`, which must be done in time. */
export async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what} takes more than ${RESPONSE_MS} ms`));
    }, RESPONSE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
