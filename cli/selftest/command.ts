/** `xenolith selftest`: boots the self-test guest and prints its verdicts as they come. */
import { existsSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MachineConfig } from "../../index.js";
import { ExitCode, exitCodeOfEnd } from "../exit-codes.js";
import type { MachineEnd, RunnableMachine } from "../library.js";
import { packageFile } from "../../package-root.js";
import { without } from "../options/offloads.js";
import { describeError, oneLine } from "../report.js";
import { exitCodeOfSignal, handleSignals } from "../signals.js";
import { UsageError } from "../usage.js";
import { SELFTEST_USAGE, parseSelftestOptions } from "./options.js";
import type { SelftestOptions } from "./options.js";
import { Tally, TapReader } from "./tap.js";
import type { TapEvent } from "./tap.js";

const GUESTS = { 32: "guests/build/compat.elf", 64: "guests/build/selftest.elf" } as const;
const MEMORY_BYTES = 64 * 1024 * 1024;
const SCRATCH_BYTES = 8 * 1024 * 1024;
/** Xen 4.17, major << 16 | minor. */
const XEN_VERSION = 0x4_0011;

export async function selftestCommand(argv: readonly string[]): Promise<number> {
  const options = parseSelftestOptions(argv);
  if (options.help) {
    process.stdout.write(SELFTEST_USAGE);
    return ExitCode.done;
  }
  const kernel = packageFile(GUESTS[options.bits]);
  if (!existsSync(kernel)) throw new UsageError(`selftest: ${kernel} is not there: npm run build makes it`);
  const folder = await mkdtemp(join(tmpdir(), "xenolith-selftest-"));
  try {
    const images = {
      scratch: join(folder, "scratch.img"),
      virtio: join(folder, "virtio.img"),
      ide: join(folder, "ide.img"),
    };
    for (const path of Object.values(images)) await makeScratch(path);
    const { Machine } = await import("../../index.js");
    await using machine = await Machine.create(selftestMachine(options, kernel, images));
    return await runSelftest(options, machine, (line) => process.stdout.write(`${line}\n`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeScratch(path: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.truncate(SCRATCH_BYTES);
}

/** Of the disks that the guest writes to. */
interface Images {
  readonly scratch: string;
  readonly virtio: string;
  readonly ide: string;
}

function selftestMachine(options: SelftestOptions, kernel: string, images: Images): MachineConfig {
  const { groups, vcpus, cpu, transport, without: unused } = options;
  return {
    name: "selftest",
    memoryBytes: MEMORY_BYTES,
    vcpus: { count: vcpus },
    cpu,
    // The guest tries FIFO channels, wherever KVM might deliver events.
    accel: { xenVersion: XEN_VERSION, transport, fifo: "on", offloads: without(unused) },
    boot: { kernel, cmdline: groups.length === 0 ? "" : `group=${groups.join(",")}` },
    disks: [
      { id: "scratch", path: images.scratch, discard: "unmap", attach: { kind: "xen", vdev: "xvda" } },
      // The guest writes to these only if this is their serial number.
      { id: "virtio", path: images.virtio, discard: "unmap", serial: "SELFTEST", attach: { kind: "virtio" } },
      { id: "ide", path: images.ide, serial: "SELFTEST", attach: { kind: "ide", channel: 1, unit: 0 } },
    ],
    devices: [{ kind: "edu" }],
    xenConsole: { kind: "stream" },
    noReboot: true,
    // The guest asks for things that do not exist, on purpose, and each would be a warning.
    log: { level: "error" },
  };
}

/** Runs the guest to its end; `print` gets a line for each check and for the sum. */
export async function runSelftest(
  options: Pick<SelftestOptions, "timeoutSeconds">,
  machine: Omit<RunnableMachine, keyof AsyncDisposable>,
  print: (line: string) => void,
): Promise<number> {
  const tally = new Tally();
  const reader = new TapReader((event) => {
    tally.count(event);
    const line = lineOf(event);
    if (line !== undefined) print(oneLine(line));
  });
  machine.onStream("xen-console", (bytes) => {
    reader.push(bytes);
    return undefined;
  });
  const end = await guarded(options, machine);
  reader.end();
  return verdict(tally, end, print);
}

type Ending = MachineEnd | { readonly kind: "timeout"; readonly seconds: number } | Interruption;
interface Interruption {
  readonly kind: "interrupted";
  readonly signal: NodeJS.Signals;
}

/** Starts the machine and waits for its end, for the time to run out, or for a signal. */
async function guarded(
  { timeoutSeconds }: Pick<SelftestOptions, "timeoutSeconds">,
  machine: Pick<RunnableMachine, "start" | "stop" | "ended">,
): Promise<Ending> {
  let cut: Ending | undefined;
  const stopAs = (ending: Ending) => {
    cut ??= ending;
    void machine.stop();
  };
  const release = handleSignals({
    terminate(signal) {
      stopAs({ kind: "interrupted", signal });
    },
    suspend: () => undefined,
    resume: () => undefined,
  });
  const timer = setTimeout(() => {
    stopAs({ kind: "timeout", seconds: timeoutSeconds });
  }, timeoutSeconds * 1000);
  try {
    await machine.start();
    const end = await machine.ended;
    return end.kind === "stopped" ? (cut ?? end) : end;
  } finally {
    clearTimeout(timer);
    release();
  }
}

function lineOf(event: TapEvent): string | undefined {
  switch (event.kind) {
    case "check": {
      const mark = { passed: "ok", failed: "not ok", skipped: "skipped" }[event.verdict];
      return `${mark} ${event.number} - ${event.name}${event.detail === "" ? "" : ` # ${event.detail}`}`;
    }
    case "comment":
      return `# ${event.text}`;
    case "bail":
      return `Bail out! ${event.text}`;
    case "plan":
      return undefined;
  }
}

function verdict(tally: Tally, end: Ending, print: (line: string) => void): number {
  const skipped = tally.skipped === 0 ? "" : `, ${tally.skipped} skipped`;
  print(`${tally.passed} passed, ${tally.failed} failed${skipped}`);
  switch (end.kind) {
    case "interrupted":
      return exitCodeOfSignal(end.signal);
    case "timeout":
      print(`the guest did not end within ${end.seconds} s`);
      return ExitCode.host;
    case "crash":
      print(`the guest crashed\n${end.report.trimEnd()}`);
      return ExitCode.crash;
    case "failed":
      print(describeError(end.error));
      return exitCodeOfEnd(end);
    default:
      if (tally.gap !== undefined) print(tally.gap);
      return tally.failed === 0 && tally.gap === undefined ? ExitCode.done : ExitCode.host;
  }
}
