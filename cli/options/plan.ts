/** What one command line asks for: a machine, and who uses the terminal meanwhile. */
import type { MachineConfig } from "../../index.js";
import { usageError } from "../usage.js";
import type { Arguments } from "./arguments.js";
import { boot } from "./boot.js";
import { Chardevs } from "./chardevs.js";
import type { ChardevInput, MonitorSocket, TerminalPlan } from "./chardevs.js";
import { parseDevice } from "./devices.js";
import type { Device } from "./devices.js";
import { disks } from "./disks.js";
import { drives } from "./drives.js";
import {
  accel,
  checkAbsentParts,
  cpu,
  log,
  machineName,
  machineType,
  memoryBytes,
  rtc,
  vcpus,
  xenDomid,
} from "./machine.js";
import { nets } from "./nets.js";
import { checkUnique, pciDevices } from "./pci.js";
import { Settings } from "./settings.js";
import { traces } from "./traces.js";

export interface LaunchPlan {
  readonly machine: MachineConfig;
  /** Undefined when nothing of the machine is on the terminal. */
  readonly terminal: TerminalPlan | undefined;
  readonly monitorSockets: readonly MonitorSocket[];
  /** Wait for the monitor's `cont`. */
  readonly startPaused: boolean;
}

const SERIAL_STREAMS = ["serial0", "serial1", "serial2", "serial3"] as const;

/** @throws UsageError with one line that names the option */
export function planLaunch(args: Arguments): LaunchPlan {
  checkAbsentParts(args);
  const devices = args.all("device").map(parseDevice);
  checkUnique(devices);
  const chardevs = new Chardevs(args.all("chardev"));
  const consoles = planConsoles(args, devices, chardevs);
  const machine: MachineConfig = {
    machine: machineType(args).type,
    acpi: machineType(args).acpi,
    name: machineName(args),
    uuid: args.last("uuid"),
    memoryBytes: memoryBytes(args),
    vcpus: vcpus(args),
    accel: accel(args),
    xenDomid: xenDomid(args),
    cpu: cpu(args),
    boot: boot(args),
    disks: disks(drives(args), devices),
    nets: nets(args, devices),
    devices: pciDevices(devices),
    ...consoles,
    debugExit: debugExit(devices),
    rtc: rtc(args),
    noReboot: args.has("no-reboot"),
    noShutdown: args.has("no-shutdown"),
    log: log(args),
    trace: traces(args.all("trace")),
    xenLog: args.has("xen-log"),
  };
  return {
    machine,
    terminal: chardevs.terminal,
    monitorSockets: chardevs.monitorSockets,
    startPaused: args.has("S"),
  };
}

type Consoles = Pick<MachineConfig, "serials" | "xenConsole" | "debugcon">;

/** Order matters: whoever comes first on a shared terminal has the keys first, and serial ports count from COM1. */
function planConsoles(args: Arguments, devices: readonly Device[], chardevs: Chardevs): Consoles {
  const serials = plannedSerials(args, devices, chardevs);
  const debugcon = plannedDebugcon(args, devices, chardevs);
  const xenConsole = only(devices, "xen-console");
  const consoles = {
    debugcon,
    xenConsole: xenConsole === undefined ? undefined : chardevs.fromId(xenConsole.settings, "xen-console"),
  };
  for (const text of args.all("monitor")) chardevs.monitorOn("--monitor", text);
  for (const text of args.all("mon")) {
    const settings = Settings.parse("--mon", text, { implied: "chardev", known: ["chardev", "mode"] });
    settings.choice("mode", ["readline"]);
    chardevs.monitorOnId("--mon", settings.required("chardev"));
  }
  return { ...consoles, serials: serials ?? defaultSerials(args, chardevs) };
}

/** The serial ports asked for, or undefined when there was not a word about them. */
function plannedSerials(
  args: Arguments,
  devices: readonly Device[],
  chardevs: Chardevs,
): (ChardevInput | null)[] | undefined {
  const serials: (ChardevInput | null)[] = [];
  for (const text of args.all("serial")) {
    serials.push(chardevs.fromSpecification("--serial", text, serialStream("--serial", serials.length)));
  }
  for (const { driver, settings } of devices) {
    if (driver === "isa-serial") serials.push(chardevs.fromId(settings, serialStream(settings.where, serials.length)));
  }
  return serials.length === 0 ? undefined : serials;
}

function serialStream(where: string, index: number): (typeof SERIAL_STREAMS)[number] {
  const stream = SERIAL_STREAMS[index];
  if (stream === undefined) throw usageError(where, `a PC has ${SERIAL_STREAMS.length} serial ports`);
  return stream;
}

/**
 * As there is no window, the first serial port takes the terminal where nobody else wants it. `--display none` is how
 * scripts say that they want no such thing; the port is there all the same, as in a PC with nothing plugged in.
 */
function defaultSerials(args: Arguments, chardevs: Chardevs): (ChardevInput | null)[] {
  if (args.has("nodefaults")) return [];
  const quiet = args.all("display").length > 0 && !args.has("nographic");
  if (quiet || chardevs.terminal !== undefined) return [{ kind: "null" }];
  return [chardevs.fromSpecification("--serial", "mon:stdio", "serial0")];
}

function plannedDebugcon(args: Arguments, devices: readonly Device[], chardevs: Chardevs): MachineConfig["debugcon"] {
  const device = only(devices, "isa-debugcon");
  const text = args.last("debugcon");
  if (device !== undefined) {
    if (text !== undefined) throw usageError("--debugcon", "there is an isa-debugcon already");
    return { iobase: device.settings.integer("iobase"), chardev: chardevs.fromId(device.settings, "debugcon") };
  }
  if (text === undefined) return undefined;
  const chardev = chardevs.fromSpecification("--debugcon", text, "debugcon");
  return chardev === null ? undefined : { chardev };
}

function debugExit(devices: readonly Device[]): MachineConfig["debugExit"] {
  const device = only(devices, "isa-debug-exit");
  if (device === undefined) return undefined;
  const { settings } = device;
  const size = settings.integer("iosize");
  const iosize = ([1, 2, 4] as const).find((known) => known === size);
  if (size !== undefined && iosize === undefined) throw settings.error("iosize", `must be 1, 2 or 4, not ${size}`);
  return { iobase: settings.integer("iobase"), iosize };
}

function only(devices: readonly Device[], driver: Device["driver"]): Device | undefined {
  const [first, second] = devices.filter((device) => device.driver === driver);
  if (second !== undefined) throw usageError(second.settings.where, "there can be only one");
  return first;
}
