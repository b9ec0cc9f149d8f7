/** Options that describe the machine itself: board, accelerator, processors, memory, clock. */
import type { MachineConfig } from "../../index.js";
import { didYouMean, usageError } from "../usage.js";
import type { Arguments } from "./arguments.js";
import { feature, hypervFeatures } from "./hyperv.js";
import { OFFLOAD_KEYS, offloads } from "./offloads.js";
import { Settings, parseInteger, parseSize, splitItems } from "./settings.js";

const MIB = 1024 * 1024;

/** Underscores are how QEMU used to spell these. */
const IRQCHIP_ALIASES = { kernel_irqchip: "kernel-irqchip" } as const;

export function machineType(args: Arguments): {
  readonly type: string | undefined;
  readonly irqchip: Irqchip | undefined;
  readonly acpi: boolean | undefined;
} {
  const settings = Settings.merged("--machine", args.all("machine"), {
    implied: "type",
    known: ["type", "accel", "kernel-irqchip", "acpi"],
    aliases: IRQCHIP_ALIASES,
  });
  checkAccelerator("--machine accel", settings.text("accel"));
  const acpi = args.has("no-acpi") ? false : settings.flag("acpi");
  return { type: settings.text("type"), irqchip: irqchip(settings), acpi };
}

type Irqchip = "split" | "on" | "off";

function irqchip(settings: Settings): Irqchip | undefined {
  return settings.choice("kernel-irqchip", ["split", "on", "off"]);
}

function checkAccelerator(where: string, name: string | undefined): void {
  if (name === undefined || name === "kvm") return;
  throw usageError(where, `'${name}' is not there: the accelerator is kvm`);
}

export function accel(args: Arguments): MachineConfig["accel"] {
  const settings = Settings.merged("--accel", args.all("accel"), {
    implied: "accel",
    known: [
      "accel",
      "xen-version",
      "kernel-irqchip",
      "xen-evtchn-max-pirq",
      "xen-gnttab-max-frames",
      "xen-transport",
      "xen-fifo",
      ...OFFLOAD_KEYS,
    ],
    aliases: IRQCHIP_ALIASES,
  });
  checkAccelerator("--accel", settings.text("accel"));
  return {
    xenVersion: xenVersion(settings),
    irqchip: irqchip(settings) ?? machineType(args).irqchip,
    transport: settings.choice("xen-transport", ["auto", "kernel", "userspace"]),
    fifo: settings.choice("xen-fifo", ["auto", "on", "off"]),
    offloads: offloads(settings),
    evtchnMaxPirq: settings.integer("xen-evtchn-max-pirq"),
    gnttabMaxFrames: settings.integer("xen-gnttab-max-frames"),
  };
}

function xenVersion(settings: Settings): number | undefined {
  const text = settings.text("xen-version");
  if (text === undefined) return undefined;
  const number = parseInteger(text);
  if (number !== undefined) return number;
  const dotted = /^([0-9]{1,4})\.([0-9]{1,4})$/.exec(text);
  const hint = dotted === null ? "a number such as 0x4000a" : `0x${dottedVersion(dotted).toString(16)} for ${text}`;
  throw settings.error("xen-version", `'${text}' is malformed: write ${hint}`);
}

function dottedVersion(match: RegExpExecArray): number {
  return Number(match[1]) * 0x1_0000 + Number(match[2]);
}

export function memoryBytes(args: Arguments): number | undefined {
  const settings = Settings.merged("-m", args.all("m"), { implied: "size", known: ["size"] });
  const text = settings.text("size");
  if (text === undefined) return undefined;
  const bytes = parseSize(text, MIB);
  if (bytes === undefined) {
    throw usageError("-m", `'${text}' is not a size: write whole MiB, or a number with a suffix such as 512M or 1G`);
  }
  return bytes;
}

/** Levels of a topology that no PC of ours has. */
const OTHER_LEVELS = ["dies", "modules", "clusters"] as const;

export function vcpus(args: Arguments): MachineConfig["vcpus"] {
  const settings = Settings.merged("--smp", args.all("smp"), {
    implied: "cpus",
    known: ["cpus", "sockets", "cores", "threads", "maxcpus", ...OTHER_LEVELS],
  });
  for (const level of OTHER_LEVELS) {
    const number = settings.integer(level) ?? 1;
    if (number !== 1) throw settings.error(level, `is not there: it can only be 1, not ${number}`);
  }
  return {
    count: settings.integer("cpus"),
    sockets: settings.integer("sockets"),
    cores: settings.integer("cores"),
    threads: settings.integer("threads"),
    maxCpus: settings.integer("maxcpus"),
  };
}

const CPU_MODELS = ["host", "max"] as const;

/** `host,+feature,-feature,feature=on`: of a feature named twice, the later counts. */
export function cpu(args: Arguments): MachineConfig["cpu"] {
  const text = args.last("cpu");
  return text === undefined ? undefined : cpuModel(text);
}

export function cpuModel(text: string): NonNullable<MachineConfig["cpu"]> {
  const [first, ...items] = splitItems(text, "model");
  const model = CPU_MODELS.find((known) => known === first?.value);
  if (first?.key !== "model" || model === undefined) {
    const given = first?.key === "model" ? (first.value ?? "") : (first?.key ?? "");
    throw usageError("--cpu", `there is no model '${given}': use host or max${didYouMean(given, CPU_MODELS)}`);
  }
  const { hyperv, others } = hypervFeatures(items);
  const features = new Map(others.map(({ key, value }) => feature(key, value)));
  const xenVapic = features.get("xen-vapic");
  features.delete("xen-vapic");
  return { model, features: Object.fromEntries(features), xenVapic, ...hyperv };
}

export function rtc(args: Arguments): MachineConfig["rtc"] {
  const settings = Settings.merged("--rtc", args.all("rtc"), { implied: "base", known: ["base", "clock", "driftfix"] });
  const driftfix = settings.text("driftfix");
  if (driftfix !== undefined && driftfix !== "none") {
    throw settings.error("driftfix", `'${driftfix}' is not there: ticks that a guest misses are not made up for`);
  }
  return { base: settings.text("base"), clock: settings.choice("clock", ["host", "rt", "vm"]) };
}

export function machineName(args: Arguments): string | undefined {
  return Settings.merged("--name", args.all("name"), { implied: "guest", known: ["guest"] }).text("guest");
}

export function xenDomid(args: Arguments): number | undefined {
  const text = args.last("xen-domid");
  if (text === undefined) return undefined;
  const number = parseInteger(text);
  if (number === undefined) throw usageError("--xen-domid", `must be a whole number, not '${text}'`);
  return number;
}

export function log(args: Arguments): MachineConfig["log"] {
  const settings = Settings.merged("--log", args.all("log"), { implied: "level", known: ["level", "file", "json"] });
  return {
    level: settings.choice("level", ["debug", "info", "warn", "error"]),
    file: settings.text("file"),
    json: settings.flag("json"),
  };
}

/** Options that QEMU has for parts that we do not: only "none" is true. */
export function checkAbsentParts(args: Arguments): void {
  for (const name of ["display", "vga", "net", "parallel"] as const) {
    const other = args.all(name).find((value) => value !== "none");
    const instead = name === "net" ? ": use --nic, or --netdev with --device virtio-net-pci" : "";
    if (other !== undefined) throw usageError(`--${name}`, `'${other}' is not there: only none is${instead}`);
  }
}
