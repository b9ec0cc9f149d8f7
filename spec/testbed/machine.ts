/**
 * The emulated machine as host processes: one virtiofsd per share, and QEMU, which emulates an AMD processor with nested paging.
 *
 * QEMU's serial console is its standard output; the agent's port is a socket pair that it inherits as descriptor 3.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { exists } from "./cache.js";
import type { Emulator } from "./emulator.js";
import { TestbedError } from "./errors.js";
import { type Image, INIT_PATH, type MountPoint } from "./image.js";
import { hostTool, qemuPaths, tiedToUs } from "./host-tool.js";

/** A host directory that the machine sees at /`<at>`. */
export interface Share {
  readonly at: MountPoint;
  readonly directory: string;
  /** `cow`: looks writable inside, and the host's directory never changes. */
  readonly access: "ro" | "rw" | "cow";
}

export interface MachineOptions {
  readonly image: Image;
  readonly emulator: Emulator;
  readonly shares: readonly Share[];
  /** A short path: the sockets in it have names of at most 107 bytes. */
  readonly runDirectory: string;
  readonly cpus: number;
  readonly memoryMiB: number;
  /** Gets what the machine writes to its console, and QEMU to its standard error. */
  readonly onConsole?: (data: Uint8Array) => void;
}

const ROOT_TAG = "root";
const AGENT_PORT = "testbed.agent";
const AGENT_DESCRIPTOR = 3;
/** How much of the console an error repeats, in characters. */
const CONSOLE_TAIL = 3000;
const SOCKET_WAIT_MS = 10_000;
const SOCKET_POLL_MS = 5;
/** An AMD processor with nested paging; minus what QEMU cannot emulate of it and would warn about, feature by feature. */
const CPU =
  "EPYC-Rome,svm=on,npt=on,-fxsr-opt,-misalignsse,-osvw,-topoext,-perfctr-core,-clzero,-ibpb,-amd-stibp,-nrip-save,-xsavec,-xsaves";
/** `tsc=reliable`: the emulated TSC is, and the kernel's watchdog would not think so on a busy host. */
const KERNEL_ARGUMENTS = "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable";

export class Machine {
  /** Both directions of the agent's port. */
  readonly port: Duplex;
  /** Settles when QEMU is gone, whatever the reason. */
  readonly ended: Promise<void>;
  readonly #console: ConsoleLog;
  readonly #daemons: readonly ChildProcess[];
  readonly #qemu: ChildProcess;

  private constructor(console: ConsoleLog, daemons: readonly ChildProcess[], qemu: ChildProcess) {
    this.#console = console;
    this.#daemons = daemons;
    this.#qemu = qemu;
    this.port = qemu.stdio[AGENT_DESCRIPTOR] as Duplex;
    this.ended = ended(qemu);
  }

  /** @throws TestbedError when a share cannot be served. */
  static async start(options: MachineOptions): Promise<Machine> {
    const console = new ConsoleLog(options.onConsole);
    const daemons: ChildProcess[] = [];
    try {
      const root: RootShare = { at: ROOT_TAG, directory: options.image.root, access: "ro" };
      for (const share of [root, ...options.shares]) {
        const daemon = startDaemon(options, share);
        console.attach(daemon);
        daemons.push(daemon);
      }
      for (const [index, share] of [root, ...options.shares].entries()) {
        await waitForSocket(join(options.runDirectory, socketName(share)), daemons[index], console);
      }
      const { env } = qemuPaths(options.emulator);
      const qemu = startChild(options, qemuArguments(options), { env, descriptors: 1 });
      console.attach(qemu);
      return new Machine(console, daemons, qemu);
    } catch (cause) {
      for (const daemon of daemons) daemon.kill("SIGKILL");
      throw cause;
    }
  }

  /** The end of what the machine and its processes printed, to explain a failure. */
  get consoleTail(): string {
    return this.#console.tail;
  }

  /** Ends all its processes and waits for that. */
  async kill(): Promise<void> {
    const all = [this.#qemu, ...this.#daemons];
    const ends = all.map(ended);
    for (const child of all) child.kill("SIGKILL");
    await Promise.all(ends);
  }
}

/** What several processes print, together. */
class ConsoleLog {
  tail = "";
  readonly #listener: MachineOptions["onConsole"];

  constructor(listener: MachineOptions["onConsole"]) {
    this.#listener = listener;
  }

  attach(child: ChildProcess): void {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data: Buffer) => {
        this.tail = (this.tail + data.toString()).slice(-CONSOLE_TAIL);
        this.#listener?.(data);
      });
    }
  }
}

type RootShare = Omit<Share, "at"> & { readonly at: typeof ROOT_TAG };

function socketName(share: Share | RootShare): string {
  return `${share.at}.sock`;
}

function startDaemon(options: MachineOptions, share: Share | RootShare): ChildProcess {
  const args = [
    ...["--socket-path", socketName(share), "--shared-dir", share.directory],
    // The tree never changes. A checkout does, under the machine's feet: file attributes are then believed for a second.
    ...["--cache", share.at === ROOT_TAG ? "always" : "auto"],
    ...["--sandbox", "none", "--log-level", "error"],
    ...(share.access === "rw" ? [] : ["--readonly"]),
    ...ownership(),
  ];
  return startChild(options, hostTool(options.image, "usr/libexec/virtiofsd", args), { env: {}, descriptors: 0 });
}

/** Root in the machine is whoever we are on the host. */
function ownership(): string[] {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  if (uid === 0) return [];
  return ["--translate-uid", `map:0:${uid}:1`, "--translate-gid", `map:0:${gid}:1`];
}

function qemuArguments(options: MachineOptions): { readonly file: string; readonly args: readonly string[] } {
  const { image, emulator, memoryMiB, cpus, shares } = options;
  const mounts = shares.map(({ at, access }) => `${at}:${access}`).join(",");
  return hostTool(emulator, emulator.program, [
    ...qemuPaths(emulator).args,
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"],
    ...["-machine", "pc,memory-backend=ram", "-accel", "tcg,thread=multi", "-cpu", CPU],
    // virtio-fs needs memory that its daemons can map
    ...[
      "-smp",
      String(cpus),
      "-m",
      String(memoryMiB),
      "-object",
      `memory-backend-memfd,id=ram,size=${memoryMiB}M,share=on`,
    ],
    ...["-kernel", image.vmlinuz, "-append"],
    `${KERNEL_ARGUMENTS} rootfstype=virtiofs root=${ROOT_TAG} ro init=${INIT_PATH} testbed.mounts=${mounts}`,
    ...["-device", "virtio-serial-pci", "-chardev", `socket,id=agent,fd=${AGENT_DESCRIPTOR}`],
    ...["-device", `virtserialport,chardev=agent,name=${AGENT_PORT}`],
    ...[ROOT_TAG, ...shares.map(({ at }) => at)].flatMap((tag) => [
      ...[
        "-chardev",
        `socket,id=${tag},path=${tag}.sock`,
        "-device",
        `vhost-user-fs-pci,queue-size=1024,chardev=${tag},tag=${tag}`,
      ],
    ]),
  ]);
}

function startChild(
  { runDirectory }: MachineOptions,
  command: { readonly file: string; readonly args: readonly string[] },
  { env, descriptors }: { readonly env: Readonly<Record<string, string>>; readonly descriptors: number },
): ChildProcess {
  const { file, args } = tiedToUs(command);
  return spawn(file, args, {
    cwd: runDirectory,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", ...Array.from({ length: descriptors }, () => "pipe" as const)],
    // Ctrl-C at our terminal is for us, or for the command inside; never for these
    detached: true,
  });
}

/** Never rejects: a process that could not even start has ended, too. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  await once(child, "exit").catch(() => undefined);
}

async function waitForSocket(path: string, daemon: ChildProcess | undefined, console: ConsoleLog): Promise<void> {
  const deadline = Date.now() + SOCKET_WAIT_MS;
  while (!(await exists(path))) {
    if (daemon?.exitCode !== null || Date.now() > deadline) {
      throw new TestbedError(`virtiofsd did not open ${path}\n${console.tail}`);
    }
    await new Promise((resolve) => setTimeout(resolve, SOCKET_POLL_MS));
  }
}
