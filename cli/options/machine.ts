/** Options that describe the machine itself: board, accelerator, processors, memory, clock. */
import type { MachineConfig } from "../../index.js";
import { didYouMean, usageError } from "../usage.js";
import type { Arguments } from "./arguments.js";
import { Settings, parseFlag, parseInteger, parseSize, splitItems } from "./settings.js";

const MIB = 1024 * 1024;

/** Underscores are how QEMU used to spell these. */
const IRQCHIP_ALIASES = { kernel_irqchip: "kernel-irqchip" } as const;

/** Later options add to earlier ones: `-M pc -M accel=kvm` is `-M pc,accel=kvm`. */
function merged(where: string, texts: readonly string[], syntax: ConstructorParameters<typeof Settings>[2]): Settings {
  return new Settings(
    where,
    texts.flatMap((text) => splitItems(text, syntax.implied)),
    syntax,
  );
}

export function machineType(args: Arguments): {
  readonly type: string | undefined;
  readonly irqchip: Irqchip | undefined;
} {
  const settings = merged("--machine", args.all("machine"), {
    implied: "type",
    known: ["type", "accel", "kernel-irqchip"],
    aliases: IRQCHIP_ALIASES,
  });
  checkAccelerator("--machine accel", settings.text("accel"));
  return { type: settings.text("type"), irqchip: irqchip(settings) };
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
  const settings = merged("--accel", args.all("accel"), {
    implied: "accel",
    known: ["accel", "xen-version", "kernel-irqchip", "xen-evtchn-max-pirq", "xen-gnttab-max-frames", "xen-transport"],
    aliases: IRQCHIP_ALIASES,
  });
  checkAccelerator("--accel", settings.text("accel"));
  return {
    xenVersion: xenVersion(settings),
    irqchip: irqchip(settings) ?? machineType(args).irqchip,
    transport: settings.choice("xen-transport", ["auto", "kernel", "userspace"]),
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
  const settings = merged("-m", args.all("m"), { implied: "size", known: ["size"] });
  const text = settings.text("size");
  if (text === undefined) return undefined;
  const bytes = parseSize(text, MIB);
  if (bytes === undefined) {
    throw usageError("-m", `'${text}' is not a size: write whole MiB, or a number with a suffix such as 512M or 1G`);
  }
  return bytes;
}

export function vcpus(args: Arguments): MachineConfig["vcpus"] {
  const settings = merged("--smp", args.all("smp"), {
    implied: "cpus",
    known: ["cpus", "sockets", "cores", "threads", "maxcpus"],
  });
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
  if (text === undefined) return undefined;
  const [first, ...items] = splitItems(text, "model");
  const model = CPU_MODELS.find((known) => known === first?.value);
  if (first?.key !== "model" || model === undefined) {
    const given = first?.key === "model" ? (first.value ?? "") : (first?.key ?? "");
    throw usageError("--cpu", `there is no model '${given}': use host or max${didYouMean(given, CPU_MODELS)}`);
  }
  const features = new Map(items.map(({ key, value }) => feature(key, value)));
  const xenVapic = features.get("xen-vapic");
  features.delete("xen-vapic");
  return { model, features: Object.fromEntries(features), xenVapic };
}

function feature(key: string, value: string | undefined): [string, boolean] {
  const signed = /^([+-])(.*)$/s.exec(key);
  if (signed !== null && value === undefined) return [signed[2] ?? "", signed[1] === "+"];
  const flag = parseFlag(value ?? "on");
  if (flag === undefined) throw usageError(`--cpu ${key}`, `must be on or off, not '${value ?? ""}'`);
  return [key, flag];
}

export function rtc(args: Arguments): MachineConfig["rtc"] {
  return { base: merged("--rtc", args.all("rtc"), { implied: "base", known: ["base"] }).text("base") };
}

export function machineName(args: Arguments): string | undefined {
  return merged("--name", args.all("name"), { implied: "guest", known: ["guest"] }).text("guest");
}

export function xenDomid(args: Arguments): number | undefined {
  const text = args.last("xen-domid");
  if (text === undefined) return undefined;
  const number = parseInteger(text);
  if (number === undefined) throw usageError("--xen-domid", `must be a whole number, not '${text}'`);
  return number;
}

export function log(args: Arguments): MachineConfig["log"] {
  const settings = merged("--log", args.all("log"), { implied: "level", known: ["level", "file", "json"] });
  return {
    level: settings.choice("level", ["debug", "info", "warn", "error"]),
    file: settings.text("file"),
    json: settings.flag("json"),
  };
}

/** Options that QEMU has for parts that we do not: only "none" is true. */
export function checkAbsentParts(args: Arguments): void {
  for (const name of ["display", "vga", "nic", "net", "parallel"] as const) {
    const other = args.all(name).find((value) => value !== "none");
    if (other !== undefined) throw usageError(`--${name}`, `'${other}' is not there: only none is`);
  }
}
