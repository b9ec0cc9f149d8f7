/** Network adapters: each `--netdev` is what one is plugged into, `--device virtio-net-pci` or `--nic` the adapter. */
import type { MachineConfig } from "../../index.js";
import { didYouMean, usageError } from "../usage.js";
import type { Arguments } from "./arguments.js";
import type { Device } from "./devices.js";
import { bootIndex, pciSlot } from "./pci.js";
import { Settings, splitItems } from "./settings.js";

type NetInput = NonNullable<MachineConfig["nets"]>[number];
type Backend = NetInput["backend"];

/** Settings of each kind of network, beside `type` and `id`. */
const KINDS = {
  user: ["hostfwd"],
  tap: ["ifname", "script", "downscript", "vhost"],
  stream: ["server", "addr.type", "addr.path", "reconnect", "reconnect-ms"],
  dgram: [...datagramKeys("local"), ...datagramKeys("remote")],
} as const satisfies Readonly<Record<string, readonly string[]>>;

type Kind = keyof typeof KINDS;

const NIC_SETTINGS = ["model", "mac"] as const;
/** As QEMU's --nic calls the one adapter that there is. */
const MODELS: readonly string[] = ["virtio-net-pci", "virtio-net", "virtio"];

/** The machine's adapters: those of `--nic`, then those of `--device`. */
export function nets(args: Arguments, devices: readonly Device[]): readonly NetInput[] {
  const byId = new Map<string, Backend>();
  for (const text of args.all("netdev")) {
    const settings = network("--netdev", text, []);
    const id = settings.required("id");
    if (byId.has(id)) throw usageError("--netdev", `there are two with id=${id}`);
    byId.set(id, backendOf(settings));
  }
  const used = new Set<string>();
  const adapters = args.all("nic").flatMap(nic);
  for (const { driver, settings } of devices) {
    if (driver !== "virtio-net-pci") continue;
    adapters.push({
      id: settings.text("id"),
      mac: settings.text("mac"),
      model: { kind: "virtio", slot: pciSlot(settings) },
      bootIndex: bootIndex(settings),
      backend: pluggedInto(settings, byId, used),
    });
  }
  const loose = [...byId.keys()].find((id) => !used.has(id));
  if (loose !== undefined) {
    throw usageError(`--netdev ${loose}`, `no device uses it: add --device virtio-net-pci,netdev=${loose}`);
  }
  return adapters;
}

function pluggedInto(settings: Settings, networks: ReadonlyMap<string, Backend>, used: Set<string>): Backend {
  const id = settings.text("netdev");
  if (id === undefined) return { kind: "none" };
  const backend = networks.get(id);
  if (backend === undefined) {
    throw settings.error("netdev", `there is no --netdev with id=${id}${didYouMean(id, networks.keys())}`);
  }
  if (used.has(id)) throw settings.error("netdev", `${id} is in use by another device`);
  used.add(id);
  return backend;
}

/** `--nic none` says that there is to be no adapter that was not asked for, and there is none. */
function nic(text: string): NetInput[] {
  if (text === "none") return [];
  const settings = network("--nic", text, NIC_SETTINGS);
  const model = settings.text("model") ?? "virtio";
  if (!MODELS.includes(model)) {
    throw settings.error("model", `'${model}' is not there: use virtio-net-pci${didYouMean(model, MODELS)}`);
  }
  return [
    {
      id: settings.text("id"),
      mac: settings.text("mac"),
      model: { kind: "virtio" },
      backend: backendOf(settings),
    },
  ];
}

/** The settings of a network of a kind that there is. */
function network(option: string, text: string, more: readonly string[]): Settings {
  const items = splitItems(text, "type");
  const kind = items[0]?.key === "type" ? (items[0].value ?? "") : "";
  if (!isKind(kind)) {
    const instead = kind === "socket" ? ": use stream or dgram" : didYouMean(kind, Object.keys(KINDS));
    throw usageError(option, `there is no network '${kind}'${instead}`);
  }
  return new Settings(`${option} ${kind}`, items, { known: ["type", "id", ...more, ...KINDS[kind]] });
}

function backendOf(settings: Settings): Backend {
  const kind = settings.required("type");
  switch (isKind(kind) ? kind : "user") {
    case "user":
      return { kind: "user", hostForwards: settings.all("hostfwd") };
    case "tap":
      // The interface is there before us, and stays: no script runs.
      for (const key of ["script", "downscript"]) settings.choice(key, ["no"]);
      if (settings.flag("vhost") === true) throw settings.error("vhost", "is not there: frames pass through here");
      return { kind: "tap", ifname: settings.required("ifname") };
    case "stream":
      settings.choice("addr.type", ["unix"]);
      return {
        kind: "stream",
        path: settings.required("addr.path"),
        server: settings.flag("server"),
        reconnectMs: reconnectMs(settings),
      };
    case "dgram":
      return { kind: "dgram", local: datagramEnd(settings, "local"), remote: datagramEnd(settings, "remote") };
  }
}

function datagramKeys(end: "local" | "remote"): readonly string[] {
  return ["type", "path", "host", "port"].map((key) => `${end}.${key}`);
}

function datagramEnd(settings: Settings, end: "local" | "remote"): string | { host: string; port: number } {
  const type = settings.choice(`${end}.type`, ["unix", "inet"]);
  if (type !== "inet") return settings.required(`${end}.path`);
  const host = settings.required(`${end}.host`);
  settings.required(`${end}.port`);
  return { host, port: settings.integer(`${end}.port`) ?? 0 };
}

/** `reconnect` is in seconds. */
function reconnectMs(settings: Settings): number | undefined {
  const seconds = settings.integer("reconnect");
  return settings.integer("reconnect-ms") ?? (seconds === undefined ? undefined : seconds * 1000);
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind);
}
