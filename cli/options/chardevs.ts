/**
 * Character devices: what `--serial`, `--monitor`, `--debugcon` and `--chardev` name, and who uses which.
 *
 * The machine moves the bytes of files, ptys and sockets by itself. The terminal stays with the launcher, as escape keys
 * and the monitor share it: whoever is on `stdio` becomes a stream of the machine and a front end of the terminal.
 */
import type { MachineConfig, StreamName } from "../../index.js";
import { didYouMean, usageError } from "../usage.js";
import { Settings } from "./settings.js";

export type ChardevInput = NonNullable<MachineConfig["xenConsole"]>;

/** A user of a character device: a stream of the machine, or our monitor. */
export type FrontEnd = StreamName | "monitor";

/** Who is on the terminal, and how it behaves. */
export interface TerminalPlan {
  /** In the order in which Ctrl-A c goes through them; the first has the keys. */
  readonly frontEnds: readonly FrontEnd[];
  /** Ctrl-A starts an escape, and front ends take turns. */
  readonly mux: boolean;
  /** Ctrl-C, Ctrl-\ and Ctrl-Z act on the launcher rather than going to the guest. */
  readonly signal: boolean;
}

/** A Unix socket that carries a monitor. */
export interface MonitorSocket {
  readonly path: string;
  readonly server: boolean;
}

type Backend = ChardevInput | { readonly kind: "stdio"; readonly mux: boolean; readonly signal: boolean };

/** What a character device in use is known as in messages. */
interface Named {
  readonly id: string;
  readonly backend: Backend;
}

const KINDS = {
  null: [],
  stdio: ["mux", "signal"],
  file: ["path", "append"],
  pty: [],
  socket: ["path", "server", "wait"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export class Chardevs {
  readonly #declared = new Map<string, Named>();
  readonly #inUse = new Set<string>();
  readonly #frontEnds: FrontEnd[] = [];
  /** The backend that owns the terminal, with the option that took it. */
  #terminal: { readonly by: string; readonly id: string; readonly mux: boolean; readonly signal: boolean } | undefined;
  readonly #monitorSockets: MonitorSocket[] = [];

  constructor(chardevs: readonly string[]) {
    for (const text of chardevs) this.#declare(text);
  }

  get terminal(): TerminalPlan | undefined {
    if (this.#terminal === undefined) return undefined;
    return { frontEnds: this.#frontEnds, mux: this.#terminal.mux, signal: this.#terminal.signal };
  }

  get monitorSockets(): readonly MonitorSocket[] {
    return this.#monitorSockets;
  }

  /** The device for `stream` that `text` describes as `--serial` does; null for "none". */
  fromSpecification(where: string, text: string, stream: StreamName): ChardevInput | null {
    if (text === "none") return null;
    const named = this.#specification(where, text);
    const device = this.#use(where, named, stream);
    // QEMU's mon: puts a monitor of its own behind the same terminal.
    if (text.startsWith("mon:")) this.#frontEnds.push("monitor");
    return device;
  }

  /** The declared device that `--device …,chardev=` names, for `stream`. */
  fromId(settings: Settings, stream: StreamName): ChardevInput {
    return this.#use(settings.where, this.#find(`${settings.where} chardev`, settings.required("chardev")), stream);
  }

  monitorOn(where: string, text: string): void {
    if (text === "none" || text === "null") return;
    this.#useForMonitor(where, this.#specification(where, text));
  }

  monitorOnId(where: string, id: string): void {
    this.#useForMonitor(where, this.#find(`${where} chardev`, id));
  }

  #declare(text: string): void {
    const kind = /^(?:backend=)?([^,=]*)/.exec(text)?.[1] ?? "";
    if (!isKind(kind)) {
      throw usageError("--chardev", `there is no kind '${kind}'${didYouMean(kind, Object.keys(KINDS))}`);
    }
    const settings = Settings.parse(`--chardev ${kind}`, text, {
      implied: "backend",
      known: ["backend", "id", ...KINDS[kind], ...(kind === "stdio" ? [] : ["mux"])],
    });
    const id = settings.required("id");
    if (this.#declared.has(id)) throw usageError("--chardev", `there are two with id=${id}`);
    if (kind !== "stdio" && settings.flag("mux") === true) {
      throw settings.error("mux", "only the terminal, stdio, can be shared");
    }
    this.#declared.set(id, { id, backend: backendOf(kind, settings) });
  }

  #find(where: string, id: string): Named {
    const named = this.#declared.get(id);
    if (named !== undefined) return named;
    throw usageError(where, `there is no --chardev with id=${id}${didYouMean(id, this.#declared.keys())}`);
  }

  #specification(where: string, text: string): Named {
    const id = `${where} ${text}`;
    const [, kind = "", rest] = /^([^:,]*)(?:[:,]([^]*))?$/.exec(text) ?? [];
    switch (kind) {
      case "mon":
        if (rest === "stdio") return { id, backend: { kind: "stdio", mux: true, signal: false } };
        throw usageError(where, `'${text}' is not there: a monitor shares only the terminal, as mon:stdio`);
      case "stdio":
        return { id, backend: { kind: "stdio", mux: false, signal: true } };
      case "null":
        return { id, backend: { kind: "null" } };
      case "pty":
        return { id, backend: { kind: "pty" } };
      case "file":
        if (rest === undefined || rest === "") throw usageError(where, "file: needs a path");
        return { id, backend: { kind: "file", path: rest } };
      case "unix":
        return { id, backend: unixSocket(where, rest ?? "") };
      case "chardev":
        return this.#find(where, rest ?? "");
      default:
        throw usageError(where, `there is no device '${text}'${didYouMean(kind, SPECIFICATIONS)}`);
    }
  }

  #use(where: string, named: Named, stream: StreamName): ChardevInput {
    const { backend } = named;
    if (backend.kind === "stdio") {
      this.#takeTerminal(where, named.id, backend);
      this.#frontEnds.push(stream);
      return { kind: "stream" };
    }
    this.#occupy(where, named.id);
    return backend;
  }

  #useForMonitor(where: string, named: Named): void {
    const { backend } = named;
    switch (backend.kind) {
      case "stdio":
        this.#takeTerminal(where, named.id, backend);
        this.#frontEnds.push("monitor");
        return;
      case "socket":
        this.#occupy(where, named.id);
        this.#monitorSockets.push({ path: backend.path, server: backend.server ?? false });
        return;
      default:
        throw usageError(where, `a monitor needs the terminal or a socket, not ${backend.kind}`);
    }
  }

  /** A terminal that is shared may be taken again by name; any other only once. */
  #takeTerminal(by: string, id: string, backend: { readonly mux: boolean; readonly signal: boolean }): void {
    const owner = this.#terminal;
    if (owner !== undefined && !(owner.id === id && owner.mux)) {
      throw usageError(
        by,
        `the terminal is taken by ${owner.by}: share it by mon:stdio, or by --chardev stdio,mux=on,id=ID`,
      );
    }
    this.#terminal ??= { by, id, mux: backend.mux, signal: backend.signal };
  }

  #occupy(where: string, id: string): void {
    if (!this.#declared.has(id)) return;
    if (this.#inUse.has(id)) throw usageError(where, `the chardev ${id} is in use already`);
    this.#inUse.add(id);
  }
}

/** What `--serial` takes, for suggestions. */
const SPECIFICATIONS = ["mon:stdio", "stdio", "file:", "pty", "unix:", "chardev:", "null", "none"] as const;

function isKind(kind: string): kind is keyof typeof KINDS {
  return Object.hasOwn(KINDS, kind);
}

function backendOf(kind: keyof typeof KINDS, settings: Settings): Backend {
  switch (kind) {
    case "null":
    case "pty":
      return { kind };
    case "stdio":
      return { kind, mux: settings.flag("mux") ?? false, signal: settings.flag("signal") ?? true };
    case "file":
      return { kind, path: settings.required("path"), append: settings.flag("append") };
    case "socket":
      return {
        kind,
        path: settings.required("path"),
        server: settings.flag("server"),
        wait: settings.flag("wait"),
      };
  }
}

/** `unix:PATH[,server][,nowait]`. */
function unixSocket(where: string, text: string): Backend {
  const settings = Settings.parse(where, text, { implied: "path", known: KINDS.socket });
  return backendOf("socket", settings);
}
