/**
 * The shape of a machine's configuration: fields, ranges, defaults. What depends on more than one field is in `config.ts`.
 *
 * Every message here ends a line that starts with the field's path, so none names its own field.
 */
import * as v from "valibot";
import { domId, port } from "../brand.js";
import { matchTraceNames, TRACE_NAMES } from "../trace.js";
import { bootSchema } from "./boot.js";
import { deviceSchema } from "./devices.js";
import { diskSchema } from "./disks.js";
import { flag, integer, MAX_NAME, name, oneOf, path, socketPath, text } from "./fields.js";
import { enlightenmentsSchema } from "./hyperv.js";
import { netSchema } from "./nets.js";
import { offloadsSchema } from "./offloads.js";
import { vcpusSchema } from "./vcpus.js";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const PAGE = 4096;

export const MIN_MEMORY_BYTES = MIB;
/** More than hosts of today give a guest whose pages must all be reserved at start. */
export const MAX_MEMORY_BYTES = 1024 * GIB;
const DEFAULT_MEMORY_BYTES = 128 * MIB;
export const MAX_SERIALS = 4;
/** First domain id that Xen keeps for itself, xen.h DOMID_FIRST_RESERVED. */
const FIRST_RESERVED_DOMID = 0x7ff0;

/** Machine types of QEMU that people will try here, and why they get none. */
const REFUSED_MACHINES: ReadonlyMap<string, string> = new Map([
  ["q35", "q35 has no PIIX3, and the Xen platform's unplug protocol and interrupt routing stand on it: use pc"],
  ["xenfv", "xenfv needs a real Xen below: here Xen is emulated on the machine pc"],
  ["xenpvh", "xenpvh needs a real Xen below: here Xen is emulated on the machine pc"],
  ["xenpv", "xenpv needs a real Xen below: here Xen is emulated on the machine pc"],
  ["microvm", "microvm has no PCI bus for the Xen platform device: use pc"],
  ["isapc", "isapc has no PCI bus for the Xen platform device: use pc"],
  ["none", "a machine without parts cannot run a guest: use pc"],
]);

const machine = v.pipe(
  v.string("must be text"),
  v.check(
    (value) => value === "pc",
    ({ input }) =>
      REFUSED_MACHINES.get(input) ?? `there is no machine type ${JSON.stringify(input)}: the one there is is pc`,
  ),
  v.transform(() => "pc" as const),
);

const memoryBytes = v.pipe(
  v.number("must be a number of bytes"),
  v.safeInteger("must be a whole number of bytes"),
  v.minValue(MIN_MEMORY_BYTES, "must be at least 1 MiB"),
  v.maxValue(MAX_MEMORY_BYTES, `must be at most ${MAX_MEMORY_BYTES / GIB} GiB`),
  v.multipleOf(PAGE, "must be a multiple of the page size, 4 KiB"),
);

/** `major << 16 | minor`, as XENVER_version gives it; 0 turns Xen off. */
const xenVersion = v.pipe(
  v.number("must be a number such as 0x4000a"),
  v.check(
    (value) => value === 0 || (Number.isInteger(value) && value >= 0x4_0000 && value <= 0x4_ffff),
    "must be 0 (no Xen) or 0x4MMMM, major and minor in 16 bits each: 0x4000a is Xen 4.10, 0x40011 Xen 4.17",
  ),
);

const accel = v.strictObject({
  xenVersion: v.optional(xenVersion, 0),
  irqchip: v.optional(oneOf(["split", "on", "off"]), "split"),
  /** How hypercalls reach us: by KVM's own Xen support, or by MSR exits on any KVM. */
  transport: v.optional(oneOf(["auto", "kernel", "userspace"]), "auto"),
  /**
   * FIFO event channels (up to 131,072) beside the 2-level ones. "auto" offers them where KVM delivers no events itself: a
   * guest that takes them loses that.
   */
  fifo: v.optional(oneOf(["auto", "on", "off"]), "auto"),
  /** What KVM's Xen support may do, on the kernel transport. */
  offloads: v.optional(offloadsSchema, {}),
  /** PIRQs a guest may map. */
  evtchnMaxPirq: v.optional(integer(24, 4096), 256),
  /** Grant table frames of 4 KiB. The overlay pages of all frames are reserved at start. */
  gnttabMaxFrames: v.optional(integer(1, 1024), 64),
});

const cpu = v.strictObject({
  model: v.optional(oneOf(["host", "max"]), "host"),
  /** CPUID features to force on or off, by their usual names. */
  features: v.optional(
    v.record(
      v.pipe(text(MAX_NAME), v.regex(/^[a-z0-9][a-z0-9._-]*$/i, "is not the name of a CPU feature")),
      v.boolean("must be true or false"),
      "must map names of CPU features to true or false",
    ),
    {},
  ),
  /** Tells the guest that the local APIC is virtualised (CPUID 0x40000004), so that it prefers MSIs over event channels. */
  xenVapic: flag(false),
  /** Hyper-V's enlightenments: with any of them Hyper-V is there, and Xen behind it. */
  hyperv: v.optional(enlightenmentsSchema, []),
  /** How often a guest of Hyper-V's tries a spinlock before it tells us; 0xffffffff is never. */
  hypervSpinlocks: v.optional(integer(0, 0xffff_ffff)),
});

/** Where the bytes of a UART or of the PV console come from and go to. */
const chardev = v.variant(
  "kind",
  [
    /** Output vanishes, input never comes. */
    v.strictObject({ kind: v.literal("null") }),
    /** The embedding program moves the bytes through the machine's console streams. */
    v.strictObject({ kind: v.literal("stream") }),
    v.strictObject({ kind: v.literal("file"), path: path(), append: flag(false) }),
    v.strictObject({ kind: v.literal("pty") }),
    v.strictObject({
      kind: v.literal("socket"),
      path: socketPath(),
      /** Listens, rather than connects. */
      server: flag(false),
      /** A server that holds the machine's start until somebody connects. */
      wait: flag(true),
    }),
  ],
  "must be a character device: null, stream, file, pty or socket",
);

/** A port for test guests: writing `v` ends the machine with exit code `v << 1 | 1`. */
const debugExit = v.strictObject({
  iobase: v.optional(v.pipe(integer(0, 0xffff), v.transform(port)), 0x501),
  iosize: v.optional(v.picklist([1, 2, 4], "must be 1, 2 or 4"), 2),
});

const debugcon = v.strictObject({
  iobase: v.optional(v.pipe(integer(0, 0xffff), v.transform(port)), 0xe9),
  chardev,
});

const rtcBase = v.pipe(
  v.string("must be utc, localtime or a date"),
  v.check(
    (value) => value === "utc" || value === "localtime" || isDate(value),
    "must be utc, localtime or a date such as 2006-06-17T16:01:21",
  ),
);

const rtc = v.strictObject({
  base: v.optional(rtcBase, "utc"),
  /** What it follows: the host's clock; a clock that runs as evenly and is never set; the machine's, which stands in a pause. */
  clock: v.optional(oneOf(["host", "rt", "vm"]), "host"),
});

const log = v.strictObject({
  level: v.optional(oneOf(["debug", "info", "warn", "error"]), "warn"),
  /** One JSON object a line instead of text. */
  json: flag(false),
  /** Appended to; the standard error stream when absent. */
  file: v.optional(path()),
});

const tracePattern = v.pipe(
  name(),
  v.check(
    (value) => matchTraceNames(value).length > 0,
    ({ input }) => `there is no trace point ${JSON.stringify(input)}: there are ${TRACE_NAMES.join(", ")}`,
  ),
);

const uuid = v.pipe(
  v.string("must be text"),
  v.regex(
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
    "must be written as 8-4-4-4-12 hexadecimal digits, such as 550e8400-e29b-41d4-a716-446655440000",
  ),
  v.transform((value) => value.toLowerCase()),
);

export const machineConfigSchema = v.strictObject(
  {
    machine: v.optional(machine, "pc"),
    name: v.optional(name(), "xenolith"),
    uuid: v.optional(uuid, "00000000-0000-0000-0000-000000000000"),
    memoryBytes: v.optional(memoryBytes, DEFAULT_MEMORY_BYTES),
    vcpus: v.optional(vcpusSchema, {}),
    accel: v.optional(accel, {}),
    /** The guest's own domain id; ours is 0. */
    xenDomid: v.optional(v.pipe(integer(1, FIRST_RESERVED_DOMID - 1), v.transform(domId)), 1),
    cpu: v.optional(cpu, {}),
    boot: v.optional(bootSchema, {}),
    disks: v.optional(v.array(diskSchema, "must be a list of disks"), []),
    nets: v.optional(v.array(netSchema, "must be a list of network adapters"), []),
    devices: v.optional(v.array(deviceSchema, "must be a list of devices"), []),
    /** COM1 to COM4 in order; null leaves the UART out. */
    serials: v.optional(
      v.pipe(v.array(v.nullable(chardev), "must be a list"), v.maxLength(MAX_SERIALS, "a PC has 4 serial ports")),
      [],
    ),
    /** What the guest calls hvc0. */
    xenConsole: v.optional(chardev, { kind: "null" }),
    /** Tables, and the power management that they describe. Without it a guest cannot power the machine off by itself. */
    acpi: flag(true),
    debugExit: v.optional(debugExit),
    debugcon: v.optional(debugcon),
    rtc: v.optional(rtc, {}),
    /** Ends the machine where the guest would be reset. */
    noReboot: flag(false),
    /** Pauses the machine, instead of ending it, when the guest powers off. */
    noShutdown: flag(false),
    log: v.optional(log, {}),
    /** Trace points to write to the log as they are passed; `*` stands for any part of a name. */
    trace: v.optional(v.array(tracePattern, "must be a list of names"), []),
    /** Shows what the guest writes to Xen's own console. */
    xenLog: flag(false),
  },
  "must be an object",
);

/** ISO 8601 date, or date and time without zone; real days and hours only. */
function isDate(value: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d))?$/.exec(value);
  if (match === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = [1, 2, 3, 4, 5, 6].map((group) =>
    Number(match[group] ?? 0),
  );
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}
