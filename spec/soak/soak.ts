/** Machines by the thousand, resets by the hundred, pauses by the ten thousand, in one process that stays as it was. */
import { Machine } from "../../actors/machine.js";
import type { MachineConfig } from "../../shared/config.js";
import { lifeConfig } from "../support/whole-life.js";
import { smallGuest } from "../support/machines.js";
import { outb, SPIN, tinyGuest } from "../support/tiny-guest.js";
import { growth, heldNow, loggedTooMuch } from "./holdings.js";
import type { Held } from "./holdings.js";

export interface SoakResult {
  readonly name: string;
  readonly done: number;
  readonly seconds: number;
  readonly before: Held;
  readonly after: Held;
  /** Lines that the machines logged for each of those done, after a first part. */
  readonly linesEach: number;
  /** What went wrong or grew; empty when nothing did. */
  readonly problems: readonly string[];
}

export interface SoakHost {
  /** Resident memory, in KiB, that the process may gain in a whole soak: its pools still grow. */
  readonly allowedKib: number;
  /** Writes a file into a folder that is removed afterwards; its path. */
  readonly file: (name: string, content: Uint8Array) => string;
  /** `done` of a soak's number are done. */
  readonly progress: (name: string, done: number, total: number) => void;
}

/** A reset or a pause is no matter for the log; a busy host may be, now and then. A machine logs how it ended. */
const LINES_NOW_AND_THEN = 0.1;
const LINES_OF_A_LIFE = 1 + LINES_NOW_AND_THEN;
/** Lines that machines have logged so far. */
let lines = 0;
const counted = {
  log: (): void => {
    lines++;
  },
};
const DISK_BYTES = 64 * 1024;
const COM1 = 0x3f8;
/** Of the machines, after which the process has what it keeps: code, pools of memory. */
const WARM_UP = 0.1;

/** `total` machines with a disk and a socket, `atOnce` at a time, each from its making to its guest's power-off. */
export async function soakMachines(host: SoakHost, total: number, atOnce: number): Promise<SoakResult> {
  let started = 0;
  let done = 0;
  const bad: string[] = [];
  async function worker(index: number, until: number): Promise<void> {
    const image = host.file(`disk${index}.img`, new Uint8Array(DISK_BYTES));
    while (started < until) {
      started++;
      const end = await oneLife(helloConfig(image, `${image}.sock`));
      if (end !== "poweroff") bad.push(`machine ${started} ended by ${end}`);
      host.progress("machines", ++done, total);
    }
  }
  async function run(until: number): Promise<void> {
    await Promise.all(Array.from({ length: atOnce }, (_, i) => worker(i, until)));
  }
  return measured({ ...host, name: "machines", allowedLines: LINES_OF_A_LIFE }, bad, () => done, run, total);
}

function helloConfig(image: string, socket: string): MachineConfig {
  return smallGuest("hello.elf", {
    disks: [{ path: image, attach: { kind: "xen", vdev: "xvda" } }],
    serials: [{ kind: "socket", path: socket, server: true, wait: false }],
  });
}

async function oneLife(config: MachineConfig): Promise<string> {
  const machine = await Machine.create(config, counted);
  try {
    await machine.start();
    return (await machine.ended).kind;
  } finally {
    await machine[Symbol.asyncDispose]();
  }
}

/** One machine reset `total` times in a row, each as soon as its guest has said that it runs. */
export async function soakResets(host: SoakHost, total: number): Promise<SoakResult> {
  const kernel = host.file("start.elf", tinyGuest([...outb(COM1, 0x41), ...SPIN]));
  const machine = await Machine.create(smallGuest("", { boot: { kernel } }), counted);
  let starts = 0;
  let wake: () => void = () => undefined;
  machine.onStream("serial0", (bytes) => {
    starts += bytes.length;
    wake();
  });
  async function started(count: number): Promise<void> {
    while (starts < count) await new Promise<void>((resolve) => (wake = resolve));
  }
  const bad: string[] = [];
  let done = 0;
  try {
    await machine.start();
    await started(1);
    return await measured(
      { ...host, name: "resets", allowedLines: LINES_NOW_AND_THEN },
      bad,
      () => done,
      async (until) => {
        while (done < until) {
          await machine.reset();
          await started(++done + 1);
          host.progress("resets", done, total);
        }
        if (starts !== done + 1) bad.push(`${done} resets, but ${starts} starts`);
      },
      total,
    );
  } finally {
    await machine[Symbol.asyncDispose]();
  }
}

/** One machine paused and resumed `total` times while its guest writes and flushes its disk. */
export async function soakPauses(host: SoakHost, total: number): Promise<SoakResult> {
  const image = host.file("busy.img", new Uint8Array(DISK_BYTES));
  const machine = await Machine.create(lifeConfig(image, "forever up"), counted);
  let text = "";
  let flushed = 0;
  const bad: string[] = [];
  machine.onStream("xen-console", (bytes) => {
    const lines = (text + Buffer.from(bytes).toString("latin1")).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== `flushed ${flushed + 1}`) bad.push(`after "flushed ${flushed}" came "${line}"`);
      else flushed++;
    }
  });
  let done = 0;
  try {
    await machine.start();
    while (flushed === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const result = await measured(
      { ...host, name: "pauses", allowedLines: LINES_NOW_AND_THEN },
      bad,
      () => done,
      async (until) => {
        while (done < until) {
          await machine.pause();
          await machine.resume();
          host.progress("pauses", ++done, total);
        }
      },
      total,
    );
    const before = flushed;
    while (flushed === before && machine.status() === "running") await new Promise((resolve) => setTimeout(resolve, 5));
    return machine.status() === "running" ? result : { ...result, problems: [...result.problems, "the guest ended"] };
  } finally {
    await machine[Symbol.asyncDispose]();
  }
}

/** Runs a part, so that the process has what it keeps, and then the rest, and compares. */
// eslint-disable-next-line @typescript-eslint/max-params -- the parts of one soak
async function measured(
  {
    name,
    allowedKib,
    allowedLines,
  }: Pick<SoakHost, "allowedKib"> & { readonly name: string; readonly allowedLines: number },
  bad: readonly string[],
  done: () => number,
  run: (until: number) => Promise<void>,
  total: number,
): Promise<SoakResult> {
  await run(Math.max(1, Math.floor(total * WARM_UP)));
  const before = await heldNow();
  const [started, first, firstLines] = [performance.now(), done(), lines];
  await run(total);
  const seconds = (performance.now() - started) / 1000;
  const after = await heldNow(before);
  const linesEach = (lines - firstLines) / (done() - first);
  const problems = [...bad, ...growth(before, after, allowedKib), ...loggedTooMuch(linesEach, allowedLines)];
  return { name, done: done(), seconds, before, after, linesEach, problems };
}
